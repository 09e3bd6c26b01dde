"""Programs of real HTTP clients, as their documentation writes them, get a cartoon."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.support.encoded_images import decoded, gradient
from tests.support.polling import BOUND_S
from tests.support.repo import environment

SHELL = {
    "curl, body": "curl -sS --data-binary @portrait.png URL",
    "curl, body by PUT of a file, as POST": "curl -sS -X POST -T portrait.png URL",
    "curl, chunked": "curl -sS -X POST -H 'Transfer-Encoding: chunked' -T - URL < portrait.png",
    "curl, form": "curl -sS -F file=@portrait.png URL",
    "curl, form without a file name": "curl -sS -F 'file=<portrait.png' URL",
    "curl, form with an empty file name": "curl -sS -F 'file=@portrait.png;filename=' URL",
    "curl, form with options": "curl -sS -F image=@portrait.png -F strength=1 -F format=png URL",
    "curl, HTTP/1.0": "curl -sS -0 --data-binary @portrait.png URL",
    "wget": "wget -q -O - --post-file=portrait.png URL",
}

PYTHON = {
    "requests, body": "print_bytes(requests.post(URL, data=image).content)",
    "requests, file": "print_bytes(requests.post(URL, files={'file': open(PATH, 'rb')}).content)",
    "requests, bytes": "print_bytes(requests.post(URL, files={'file': image}).content)",
    "requests, no file name": (
        "print_bytes(requests.post(URL, files={'file': (None, image)}).content)"
    ),
    "requests, generator": "print_bytes(requests.post(URL, data=iter([image])).content)",
    "httpx, body": "print_bytes(httpx.post(URL, content=image).content)",
    "httpx, file": "print_bytes(httpx.post(URL, files={'file': open(PATH, 'rb')}).content)",
    "urllib3": (
        "print_bytes(urllib3.PoolManager().request('POST', URL, fields={'file': image}).data)"
    ),
    "http.client": """
c = http.client.HTTPConnection(urllib.parse.urlsplit(URL).netloc)
c.request('POST', '/v1/cartoons', image)
print_bytes(c.getresponse().read())
""",
    "aiohttp": """
async def main():
    form = aiohttp.FormData()
    form.add_field('file', image)
    async with aiohttp.ClientSession() as s, s.post(URL, data=form) as response:
        print_bytes(await response.read())
asyncio.run(main())
""",
}

PYTHON_HEAD = """
import asyncio, http.client, sys, urllib.parse
import aiohttp, httpx, requests, urllib3
URL, PATH = sys.argv[1], 'portrait.png'
image = open(PATH, 'rb').read()
print_bytes = sys.stdout.buffer.write
"""

NODE = {
    "fetch, body": "const body = image;",
    "fetch, FormData": "const body = new FormData(); body.append('file', new Blob([image]));",
    "fetch, FormData with a name": (
        "const body = new FormData(); body.append('photo', new Blob([image]), '\\u6211.png');"
    ),
    "fetch, stream": "const body = new Blob([image]).stream(); options.duplex = 'half';",
}

NODE_PROGRAM = """
import { readFileSync, writeSync } from "node:fs";
const image = readFileSync("portrait.png"), options = { method: "POST" };
%s
const response = await fetch(process.argv[2], { ...options, body });
writeSync(1, Buffer.from(await response.arrayBuffer()));
"""

GO = """package main

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"os"
)

func main() {
	image, _ := os.ReadFile("portrait.png")
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, _ := form.%s
	part.Write(image)
	form.Close()
	response, err := http.Post(os.Args[1], form.FormDataContentType(), &body)
	if err != nil {
		panic(err)
	}
	io.Copy(os.Stdout, response.Body)
}
"""

JAVA = """
import java.io.*;
import java.net.URI;
import java.net.http.*;
import java.nio.file.*;

class Client {
    public static void main(String[] arguments) throws Exception {
        byte[] image = Files.readAllBytes(Path.of("portrait.png"));
        String boundary = "boundary-of-the-form";
        ByteArrayOutputStream form = new ByteArrayOutputStream();
        form.write(("--" + boundary + "\\r\\nContent-Disposition: form-data; name=\\"file\\"\\r\\n"
            + "Content-Type: application/octet-stream\\r\\n\\r\\n").getBytes());
        form.write(image);
        form.write(("\\r\\n--" + boundary + "--\\r\\n").getBytes());
        HttpRequest request = HttpRequest.newBuilder(URI.create(arguments[0]))
            .header("Content-Type", "multipart/form-data; boundary=" + boundary)
            .POST(HttpRequest.BodyPublishers.ofByteArray(form.toByteArray())).build();
        System.out.write(HttpClient.newHttpClient()
            .send(request, HttpResponse.BodyHandlers.ofByteArray()).body());
        System.out.flush();
    }
}
"""


PHP = {
    "curl, file": "['file' => new CURLFile('portrait.png')]",
    "curl, bytes as a file": "['photo' => new CURLStringFile($image, '')]",
    "curl, bytes as a field": "['file' => $image, 'format' => 'png']",
    "curl, body": "$image",
}

PHP_PROGRAM = """<?php
$image = file_get_contents('portrait.png');
$curl = curl_init($argv[1]);
curl_setopt_array($curl, [CURLOPT_POST => true, CURLOPT_POSTFIELDS => %s]);
curl_exec($curl);
"""


def output(folder: Path, *command: str | Path) -> bytes:
    """Return what a program prints; skip the test if it is not installed."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"needs {command[0]}")
    run = subprocess.run(
        command, cwd=folder, stdout=subprocess.PIPE, check=True, env=environment(), timeout=BOUND_S
    )
    return run.stdout


def require_cartoon(data: bytes) -> None:
    assert data.startswith(b"\x89PNG"), data[:500]
    np.testing.assert_array_equal(decoded(data), 255 - gradient(600, 400))


@pytest.mark.parametrize("client", SHELL)
def test_shell(server, folder, client):
    command = SHELL[client].replace("URL", f"{server.url}/v1/cartoons")
    output(folder, command.split()[0], "--version")
    require_cartoon(output(folder, "sh", "-c", command))


@pytest.mark.parametrize("client", PYTHON)
def test_python(server, folder, client):
    program = PYTHON_HEAD + PYTHON[client]
    require_cartoon(output(folder, sys.executable, "-c", program, f"{server.url}/v1/cartoons"))


@pytest.mark.parametrize("client", NODE)
def test_node(server, folder, client):
    (folder / "client.mjs").write_text(NODE_PROGRAM % NODE[client])
    require_cartoon(output(folder, "node", "client.mjs", f"{server.url}/v1/cartoons"))


@pytest.mark.parametrize("part", ['CreateFormFile("file", "me.png")', 'CreateFormField("file")'])
def test_go(server, folder, part):
    (folder / "client.go").write_text(GO % part)
    require_cartoon(output(folder, "go", "run", "client.go", f"{server.url}/v1/cartoons"))


@pytest.mark.parametrize("client", PHP)
def test_php(server, folder, client):
    (folder / "client.php").write_text(PHP_PROGRAM % PHP[client])
    require_cartoon(output(folder, "php", "client.php", f"{server.url}/v1/cartoons"))


def test_java(server, folder):
    (folder / "Client.java").write_text(JAVA)
    require_cartoon(output(folder, "java", "Client.java", f"{server.url}/v1/cartoons"))


def test_curl_d_says_how_to_send_the_image(server, folder):
    printed = output(folder, "curl", "-sS", "-d", "@small.jpg", f"{server.url}/v1/cartoons")
    assert b"With curl, send it by --data-binary or -F file=@FILE" in printed
