// How a packet is dressed: the name of its cover, and where the cover's picture stands.
import type { PacketShown } from "./schema";

// Our own page's origin needs no saying; on an app's page the wallet is elsewhere.
let origin = "";

/** Say where the wallet is, seen from the page of another app. */
export function walletIsAt(where: string): void {
  origin = where;
}

/** The whole address of a path of the wallet's. */
export const wholeOf = (path: string): string => origin + path;

/** The name of a cover's dress: a drawn one's, or that of pictures. */
export const dressOf = (packet: Pick<PacketShown, "cover" | "cover_image">): string =>
  packet.cover_image ? "own" : packet.cover || "classic";
