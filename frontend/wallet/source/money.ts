// Money as people read and type it. Units: integer fen (分); no float comes near it.

/** Write fen as yuan: 1234567 is "12,345.67". */
export function yuan(fen: number): string {
  const digits = String(Math.abs(fen)).padStart(3, "0");
  const whole = digits.slice(0, -2).replace(/\B(?=(\d{3})+$)/g, ",");
  return `${fen < 0 ? "-" : ""}${whole}.${digits.slice(-2)}`;
}

/** Read yuan as typed: "88.8" is 8880; null for what is no amount. */
export function fenOf(text: string): number | null {
  const found = /^(\d{1,7})(?:[.。](\d{0,2}))?$/.exec(text.trim());
  if (!found) return null;
  return Number(found[1]) * 100 + Number((found[2] ?? "").padEnd(2, "0"));
}

/** Add one key of the keypad to what has been typed; what would be no amount is left out. */
export function typed(text: string, key: string): string {
  const next = key === "." && text === "" ? "0." : text === "0" && key !== "." ? key : text + key;
  return fenOf(next) === null ? text : next;
}

/** Write fen as the keypad would have typed it: 8880 is "88.8", 8800 is "88". */
export function plain(fen: number): string {
  const cents = String(fen % 100).padStart(2, "0").replace(/0+$/, "");
  return cents ? `${Math.trunc(fen / 100)}.${cents}` : String(Math.trunc(fen / 100));
}
