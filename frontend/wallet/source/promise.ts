// What a person was promised: the commitment a card carried when it first came, and the receipt of
// the own share. A proof that comes later is held against these, not against what a server says now.
import type { Receipt } from "./schema";

interface Promised {
  commitment: string;
  pseudonym?: string;
}

const placeOf = (packetId: string) => `lingqian.promise.${packetId}`;
const held = new Map<string, Promised>();

/** What was noted of a packet; undefined when this device has never seen it. */
export function promised(packetId: string): Promised | undefined {
  try {
    const kept = localStorage.getItem(placeOf(packetId));
    if (kept) return JSON.parse(kept) as Promised;
  } catch {
    // Without storage the note lasts as long as the page.
  }
  return held.get(packetId);
}

function note(packetId: string, what: Promised): void {
  held.set(packetId, what);
  try {
    localStorage.setItem(placeOf(packetId), JSON.stringify(what));
  } catch {
    // As above.
  }
}

/** Note the commitment of a card when it comes for the first time; a later one changes nothing. */
export function noteCommitment(packetId: string, commitment: string): void {
  if (!promised(packetId)) note(packetId, { commitment });
}

/** Note the receipt of the own share, to find it again in the proof. */
export function noteReceipt(packetId: string, receipt: Receipt): void {
  const known = promised(packetId);
  if (known) note(packetId, { ...known, pseudonym: receipt.pseudonym });
}
