// Waits, telling each second how many are left, until it is told to stop.

const STEP_MS = 100;

export function wait(seconds, signal, onSecond) {
  return new Promise((resolve, reject) => {
    const end = performance.now() + seconds * 1000; // Timers of a page out of sight come late.
    let last = null;

    function step() {
      const left = Math.ceil((end - performance.now()) / 1000);
      if (left <= 0) {
        clearInterval(timer);
        resolve();
      } else if (left !== last) {
        onSecond(left);
      }
      last = left;
    }

    const timer = setInterval(step, STEP_MS);
    signal.addEventListener("abort", () => {
      clearInterval(timer);
      reject(signal.reason);
    });
    step();
  });
}
