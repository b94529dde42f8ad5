// The room: the packets of this conversation, each as this person may see it, and what was said.
import { reactive } from "vue";
import { ask, Offline, pause, Refused } from "./api";
import { listen, onWake } from "./live";
import { noteCommitment } from "./promise";
import { place } from "./route";
import type { ClaimShown, History, PacketShown } from "./schema";
import { session } from "./session";

export interface Note {
  id: string;
  at: string;
  claimer: string;
  sender: string;
}

interface Room {
  /** Newest last, as a talk is read. */
  packets: PacketShown[];
  notes: Note[];
  isRead: boolean;
}

export const room = reactive<Room>({ packets: [], notes: [], isRead: false });
const NOTES_MAX = 30;
const PACKETS_MAX = 40;
const SOON_MS = 250;
/** Packets that were read a moment ago, and whether something has happened to them since. */
const waiting = new Map<string, boolean>();
/** Packets whose reading got no answer: the line is down, and their event will not come again. */
const unread = new Set<string>();

/** Whether a packet belongs to what this page shows. */
const isHere = (conversation: unknown): boolean =>
  !session.conversation_id || conversation === session.conversation_id;

export const nameOf = (userId: string): string => session.people[userId] ?? "";

/** Which asking each packet of the room was read by, in their order: the newest stays. */
const readBy = new Map<string, number>();
let askings = 0;

function put(packet: PacketShown, asking: number): PacketShown {
  noteCommitment(packet.id, packet.commitment);
  if (asking < (readBy.get(packet.id) ?? 0)) return packet;
  readBy.set(packet.id, asking);
  const place = room.packets.findIndex((each) => each.id === packet.id);
  if (place >= 0) room.packets.splice(place, 1, packet);
  else {
    room.packets.push(packet);
    room.packets.sort((a, b) => (a.created_at < b.created_at ? -1 : 1));
    if (room.packets.length > PACKETS_MAX) letGoOldest();
  }
  return packet;
}

/** Let go the oldest packet, but never the one that somebody looks at. */
function letGoOldest(): void {
  const oldest = room.packets.findIndex((each) => each.id !== place.value[1]);
  readBy.delete(room.packets.splice(oldest, 1)[0]!.id);
}

/** Read a packet as this person may see it. */
export async function readPacket(packetId: string): Promise<PacketShown> {
  const asking = (askings += 1);
  const path = `packets/${packetId}?viewer_id=${session.userId}`;
  return put(await ask<PacketShown>("GET", path), asking);
}

/** Read a packet that an address names; where the line is cut, again when it is whole. */
export async function readNamed(packetId: string): Promise<void> {
  try {
    await readPacket(packetId);
  } catch (fault) {
    if (fault instanceof Offline) unread.add(packetId);
    throw fault;
  }
}

/** Read a packet at once, and what happens to it shortly after in one more reading. */
function soon(packetId: string): void {
  const isQuiet = !waiting.has(packetId);
  waiting.set(packetId, !isQuiet);
  if (isQuiet) void settle(packetId);
}

async function settle(packetId: string): Promise<void> {
  await Promise.all([
    readPacket(packetId).catch((fault: unknown) => {
      if (fault instanceof Offline) unread.add(packetId); // unseen otherwise: it stays as it was
    }),
    pause(SOON_MS),
  ]);
  const hasMore = waiting.get(packetId) === true;
  waiting.delete(packetId);
  if (hasMore) soon(packetId);
}

function catchUp(): void {
  const missed = [...unread];
  unread.clear();
  missed.forEach(soon);
}

/** Read what was posted here; an app that has not said who is in its talk lets nobody read it. */
async function readPosted(): Promise<PacketShown[]> {
  if (!session.conversation_id) return [];
  const path = `conversations/${encodeURIComponent(session.conversation_id)}/packets`;
  try {
    const asked = `limit=${PACKETS_MAX}&viewer_id=${session.userId}`;
    return (await ask<History>("GET", `${path}?${asked}`)).packets;
  } catch (fault) {
    if (!(fault instanceof Refused)) throw fault;
    return [];
  }
}

/** Read what the room holds: what was posted, and what the person sent or took part in. */
export async function readRoom(): Promise<void> {
  const asking = (askings += 1);
  try {
    const own = (role: string) =>
      ask<History>("GET", `users/${session.userId}/packets?limit=20&role=${role}`);
    const [posted, sent, claimed] = await Promise.all([
      readPosted(), own("sent"), own("claimed"),
      ...session.packets.map((id) => readPacket(id).catch(() => null)), // unseen: not shown
    ]);
    [...posted, ...sent.packets, ...claimed.packets]
      .filter((packet) => isHere(packet.conversation_id))
      .forEach((packet) => put(packet, asking));
  } catch (fault) {
    if (!(fault instanceof Offline)) throw fault;
  }
  room.isRead = true;
}

function note(id: string, at: string, data: Record<string, unknown>): void {
  const [claimer, sender] = [String(data.user_id ?? ""), String(data.sender_id ?? "")];
  const isMine = [claimer, sender].includes(session.userId);
  if (!isMine || room.notes.some((each) => each.id === id)) return;
  room.notes.push({ id, at, claimer, sender });
  if (room.notes.length > NOTES_MAX) room.notes.shift();
}

/** Keep the room as it is, for as long as the page lives. */
export function keepRoom(): void {
  listen(({ type, time, data }) => {
    const packetId = data.packet_id;
    if (typeof packetId !== "string" || !type.startsWith("packet.")) return;
    const isKnown = room.packets.some((packet) => packet.id === packetId);
    if (isKnown) soon(packetId);
    else if (type.startsWith("packet.sent") && isHere(data.conversation_id)) soon(packetId);
    if (isKnown && type.startsWith("packet.claimed")) {
      note(`${packetId}.${String(data.user_id)}`, time, data);
    }
  });
  onWake(() => {
    void readRoom();
    catchUp();
  });
  window.addEventListener("online", catchUp);
}

/** Read everybody's luck so far, the newest first, as far as this person may see it. */
export async function readClaims(packetId: string): Promise<ClaimShown[]> {
  const path = `packets/${packetId}/claims?viewer_id=${session.userId}&limit=200`;
  return (await ask<{ claims: ClaimShown[] }>("GET", path)).claims;
}
