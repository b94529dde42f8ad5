// Where in the wallet a person is: the address after the hash, so that the back button works.
//
// Each step writes its number beside the address: the way back exists if it is above nought.
import { computed, ref } from "vue";

interface Step {
  step: number;
}

const hash = ref(location.hash);
const stepOf = (): number => (history.state as Step | null)?.step ?? -1;
let last = Math.max(0, stepOf());

/** Take in where we are now; a plain link has written no number yet. */
function arrive(): void {
  if (stepOf() < 0) history.replaceState({ step: last + 1 }, "");
  last = stepOf();
  hash.value = location.hash;
}
if (stepOf() < 0) history.replaceState({ step: 0 }, "");
window.addEventListener("hashchange", arrive);
window.addEventListener("popstate", () => stepOf() >= 0 && arrive());

/** The parts of the address: "#/packet/rp_1" is ["packet", "rp_1"]; none is the chat. */
export const place = computed<[string, ...string[]]>(() => {
  const path = hash.value.replace(/^#\/?/, "").split("?")[0] ?? "";
  const [first, ...rest] = path.split("/").map(decodeURIComponent);
  return [first || "chat", ...rest];
});

/** Go somewhere; the back button returns. */
export function go(path: string): void {
  location.hash = `#/${path}`;
}

/** Go somewhere instead of here: the back button does not come by again. */
export function goInstead(path: string): void {
  history.replaceState({ step: last }, "", `#/${path}`);
  hash.value = location.hash;
}

/** Go back, or to the first page when this one was opened by itself. */
export function goBack(): void {
  if (stepOf() > 0) history.back();
  else goInstead("");
}
