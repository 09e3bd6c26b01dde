"""Image inputs: file picker, camera, clipboard, drag and drop."""

import base64

from tests.support.browser import PHONE


def test_drag_and_drop(stand_in, page, small):
    dragged = {"items": [], "files": [str(small)], "dragOperationsMask": 1}
    where = {"x": 500, "y": 700}
    for event in "dragEnter", "dragOver":
        page.cdp("Input.dispatchDragEvent", type=event, data=dragged, **where)
    page.until(lambda: "dragover" in (page["#drop-zone"].get_attribute("class") or ""))
    page.cdp("Input.dispatchDragEvent", type="drop", data=dragged, **where)
    page.wait_for_state("done")
    assert stand_in.received == [small.read_bytes()]
    assert page["#drop-zone"].get_attribute("class") == ""


def drop(page, *, files=(), **items):
    """Drop files, or data by media type."""
    data = {
        "items": [{"mimeType": kind.replace("_", "/"), "data": it} for kind, it in items.items()],
        "files": [str(path) for path in files],
        "dragOperationsMask": 1,
    }
    for event in "dragEnter", "dragOver", "drop":
        page.cdp("Input.dispatchDragEvent", type=event, data=data, x=500, y=700)


def test_drop_of_an_image_of_another_site_explains_what_to_do(stand_in, page):
    url = "https://photos.example/me.jpg"
    html = f'<a href="https://photos.example/"><img src="{url}"></a>'
    drop(page, **{"text_uri-list": url, "text_html": html})
    page.wait_for_state("failed")
    assert page.text("#problem") == (
        "This page cannot read images from other websites. Save the image, then drop the file here."
    )
    assert (stand_in.received, page.driver.current_url) == ([], f"{stand_in.url}/")
    assert page.console_messages() == []
    page["#languages [value=zh]"].click()
    assert page.text("#problem").startswith("此页面无法读取其他网站的图片。")


def test_drop_of_a_readable_url(stand_in, page, small):
    url = f"data:image/png;base64,{base64.b64encode(small.read_bytes()).decode()}"
    drop(page, **{"text_uri-list": "https://search.example/", "text_html": f'<img src="{url}">'})
    page.wait_for_state("done")
    assert stand_in.received == [small.read_bytes()]
    drop(page, **{"text_uri-list": f"{stand_in.url}/v1/styles/tiny/sample"})
    page.until(lambda: len(stand_in.cartoons) == 2)
    assert stand_in.received[1].startswith(b"RIFF")


def test_file_of_a_drop_comes_before_its_url(stand_in, page, small):
    drop(page, files=[small], **{"text_uri-list": "https://photos.example/me.jpg"})
    page.wait_for_state("done")
    assert stand_in.received == [small.read_bytes()]


def test_drag_of_the_page_itself_is_ignored(stand_in, page, small):
    page.choose_file(small)
    page.wait_for_state("done")
    dispatch = "args[0].dispatchEvent(new DragEvent(args[1], { bubbles: true }))"
    page.run(dispatch, page["#download"], "dragstart")
    drop(page, **{"text_uri-list": f"{stand_in.url}/docs"})
    assert page.state() == "done"
    page.run(dispatch, page["#download"], "dragend")
    drop(page, files=[small])
    page.until(lambda: len(stand_in.cartoons) == 2)


def test_paste(stand_in, page):
    permissions = ["clipboardReadWrite", "clipboardSanitizedWrite"]
    page.cdp("Browser.grantPermissions", origin=stand_in.url, permissions=permissions)
    copied = page.run(
        """
        const canvas = Object.assign(document.createElement("canvas"), { width: 50, height: 30 });
        canvas.getContext("2d").fillRect(10, 10, 20, 10);
        const blob = await new Promise((resolve) => canvas.toBlob(resolve));
        await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]);
        return blob.size;
        """
    )
    assert copied > 0
    press = {"key": "v", "code": "KeyV", "windowsVirtualKeyCode": 86, "modifiers": 2}
    page.cdp("Input.dispatchKeyEvent", type="keyDown", commands=["paste"], **press)
    page.cdp("Input.dispatchKeyEvent", type="keyUp", **press)
    page.wait_for_state("done")
    assert stand_in.received[0].startswith(b"\x89PNG")
    assert page["#download"].get_attribute("download") == "image-cartoon.jpg"


def test_same_image_can_be_chosen_again(stand_in, browser, small):
    browser.open(stand_in.url, size=PHONE)
    assert browser.text("#take-photo") == "Take a photo"
    assert browser["#camera"].get_attribute("capture") == "user"
    for times, source in enumerate(["#file", "#file", "#camera", "#camera"], 1):
        browser[source].send_keys(str(small))
        browser.until(lambda times=times: len(stand_in.cartoons) == times)
        browser.wait_for_state("done")
