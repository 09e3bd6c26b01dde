"""Image inputs: file picker, camera, clipboard, drag and drop."""

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
