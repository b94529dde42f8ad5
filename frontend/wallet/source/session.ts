// Who is here, and how the server is to know it. The only module that sees a key or a token.
//
// Two ways in: a link that the app's server made for one person (`#link=…`), answered by a session
// bound to this device; or the demo's own world, whose people the visitor plays.
import { reactive } from "vue";
import { goInstead } from "./route";
import { clearDevice, enter, isKnownDevice, resume, type DeviceSession } from "./device";

export interface Person {
  id: string;
  nickname: string;
}

/** What the page around us tells: the conversation, who is in it, where the pay sheet comes from. */
export interface Surroundings {
  conversation_id: string;
  title: string;
  members: number;
  people: Record<string, string>;
  streamers: Person[];
  packets: string[];
  bridge: string;
}

interface Session extends Surroundings {
  /** Empty until somebody is let in. */
  userId: string;
  nickname: string;
  /** Who pays, as WeChat knows them. */
  openid: string;
  isDemo: boolean;
  state: "entering" | "in" | "outside" | "offline";
}

export const session = reactive<Session>({
  userId: "", nickname: "", openid: "", isDemo: false, state: "entering",
  conversation_id: "", title: "", members: 0, people: {}, streamers: [], packets: [], bridge: "",
});

interface DemoWorld extends Omit<Surroundings, "people" | "packets" | "title"> {
  key: string;
  stars: Person[];
  names: Record<string, string>;
  recent: string[];
}

let demoKey = "";
let device: DeviceSession | null = null;

/** Say who asks, for one request. */
export async function credentials(method: string, path: string): Promise<Record<string, string>> {
  if (demoKey) return { Authorization: `Bearer ${demoKey}` };
  return device ? device.credentials(method, path) : {};
}

/** Prove anew who is here after a refusal; false when that cannot be done. */
export async function renew(): Promise<boolean> {
  if (!device) return false;
  const isGood = await device.renew();
  if (!isGood) session.state = "outside"; // ended here, or from another device
  return isGood;
}

/** Whether the server limits what this person sees by itself. */
export const isOwn = (): boolean => device !== null;

async function joinDemo(): Promise<void> {
  const answer = await fetch("/demo/world");
  const world = (await answer.json()) as DemoWorld;
  demoKey = world.key;
  const asked = Number(new URLSearchParams(location.search).get("as") ?? "0");
  const me = world.stars[asked] ?? world.stars[0];
  if (!me) throw new Error("the demo has nobody to play");
  Object.assign(session, {
    userId: me.id, nickname: me.nickname, isDemo: true, openid: `oDemoStar${me.id.slice(-6)}`,
    conversation_id: world.conversation_id, title: "公司年会", members: world.members,
    people: world.names, streamers: world.streamers, packets: world.recent, bridge: world.bridge,
    state: "in",
  });
}

/** Read the link and what the app says beside it, and take them out of the address bar. */
function arrival(): URLSearchParams {
  if (!location.hash.startsWith("#link=")) return new URLSearchParams();
  const said = new URLSearchParams(location.hash.slice(1));
  goInstead("");
  return said;
}

async function joinByLink(): Promise<void> {
  const said = arrival();
  const link = said.get("link");
  if (link) device = await enter(link);
  else if (await isKnownDevice()) device = await resume();
  if (!device) {
    session.state = "outside";
    return;
  }
  remember(said);
  Object.assign(session, { userId: device.userId, state: "in" });
  const path = link ? device.path.replace(/^\//, "").replace(/^packets\//, "open/") : "";
  if (path) goInstead(path);
}

/** Learn the person's own nickname, where a session does not carry it. */
export async function readName(): Promise<void> {
  if (session.nickname || !device) return;
  const path = `/v1/users/${session.userId}`;
  try {
    const answer = await fetch(path, { headers: await credentials("GET", path) });
    if (answer.ok) session.nickname = ((await answer.json()) as { nickname: string }).nickname;
  } catch {
    // Without a line the page does without the name.
  }
}

const TOLD = "lingqian.told";

/** Keep what the app said beside the link, for the next time without one. */
function remember(said: URLSearchParams): void {
  try {
    if (said.get("link")) sessionStorage.setItem(TOLD, said.toString().replace(/^link=[^&]*&?/, ""));
    const told = new URLSearchParams(sessionStorage.getItem(TOLD) ?? said);
    session.openid = told.get("payer") ?? "";
    session.conversation_id = told.get("conversation") ?? "";
    session.title = told.get("title") ?? "";
  } catch {
    session.openid = said.get("payer") ?? "";
  }
}

/** Come in by the way that is open here. */
export async function join(): Promise<void> {
  session.state = "entering";
  try {
    if (location.pathname.startsWith("/demo/")) await joinDemo();
    else await joinByLink();
  } catch {
    session.state = "offline";
  }
}

/** Leave this device: its key is thrown away, and no token is good without it. */
export async function leave(): Promise<void> {
  await clearDevice();
  device = null;
  session.userId = "";
  session.state = "outside";
}
