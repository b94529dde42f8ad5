// The time by the server's clock: a phone's own may be hours off, and a sandbox has one of its own.
//
// Between two readings time goes on by the page's own counter, which nobody can set.
import { ref } from "vue";

const SECOND_MS = 1_000;
/** The server's time less the counter's, ms; null until the server has said what time it is. */
let ahead: number | null = null;

/** Learn the server's time from an answer that has just come. */
export function noteNow(text: string): void {
  ahead = Date.parse(text) - performance.now();
}

/** What time it is, ms since 1970; by the phone's clock as long as the server has not said. */
export const now = (): number => (ahead === null ? Date.now() : ahead + performance.now());

/** The time, told anew each second to whoever shows it; `stop` when nobody does any more. */
export function ticking() {
  const at = ref(now());
  const timer = window.setInterval(() => {
    at.value = now();
  }, SECOND_MS);
  return { at, stop: () => window.clearInterval(timer) };
}

/** Write a span as minutes and seconds, with hours where there are some: "4:05", "1:00:00". */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / SECOND_MS));
  const pair = (count: number): string => String(count).padStart(2, "0");
  const [hours, minutes] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60];
  const tail = `${hours ? pair(minutes) : minutes}:${pair(seconds % 60)}`;
  return hours ? `${hours}:${tail}` : tail;
}
