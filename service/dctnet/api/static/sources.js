// Where images come from: a file that is chosen, a camera, the clipboard, a drop.

const byId = (id) => document.getElementById(id);

export function start(onImage) {
  for (const input of [byId("file"), byId("camera")]) {
    input.addEventListener("change", () => {
      const [file] = input.files;
      if (file) onImage(file);
      input.value = ""; // So that the same image can be chosen again.
    });
  }

  document.addEventListener("paste", (event) => {
    const [file] = event.clipboardData.files;
    if (file) onImage(file);
  });

  const drop = byId("drop");
  const hasFiles = (event) => event.dataTransfer.types.includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault(); // Else the browser leaves the page for the image.
    drop.classList.add("over");
  });
  document.addEventListener("dragleave", () => drop.classList.remove("over"));
  document.addEventListener("drop", (event) => {
    drop.classList.remove("over");
    if (!hasFiles(event)) return;
    event.preventDefault();
    const [file] = event.dataTransfer.files;
    if (file) onImage(file);
  });
}
