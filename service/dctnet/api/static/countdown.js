// Countdown: waits, and reports the remaining seconds, until the signal aborts.

const TICK_MS = 100;

export function countDown(seconds, signal, onSecond) {
  return new Promise((resolve, reject) => {
    const end = performance.now() + seconds * 1000; // Browsers delay timers of hidden pages.
    let last = null;

    function tick() {
      const left = Math.ceil((end - performance.now()) / 1000);
      if (left <= 0) {
        clearInterval(timer);
        resolve();
      } else if (left !== last) {
        onSecond(left);
      }
      last = left;
    }

    const timer = setInterval(tick, TICK_MS);
    signal.addEventListener("abort", () => {
      clearInterval(timer);
      reject(signal.reason);
    });
    tick();
  });
}
