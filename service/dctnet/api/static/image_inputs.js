// Image inputs: file picker, camera, clipboard, and drag and drop.

const byId = (id) => document.getElementById(id);

export function init(onImage) {
  for (const input of [byId("file"), byId("camera")]) {
    input.addEventListener("change", () => {
      const [file] = input.files;
      if (file) onImage(file);
      input.value = ""; // Allows choosing the same image again.
    });
  }

  document.addEventListener("paste", (event) => {
    const [file] = event.clipboardData.files;
    if (file) onImage(file);
  });

  const dropZone = byId("drop-zone");
  const hasFiles = (event) => event.dataTransfer.types.includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault(); // Otherwise the browser navigates to the image.
    dropZone.classList.add("dragover");
  });
  document.addEventListener("dragleave", () => dropZone.classList.remove("dragover"));
  document.addEventListener("drop", (event) => {
    dropZone.classList.remove("dragover");
    if (!hasFiles(event)) return;
    event.preventDefault();
    const [file] = event.dataTransfer.files;
    if (file) onImage(file);
  });
}
