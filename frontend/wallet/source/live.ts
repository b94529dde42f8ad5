// What happens, as it happens: the event stream, gone on with where it was cut.
//
// A page nobody looks at lets go of its stream: a browser opens only six connections to a server.
// Nothing is missed by that, because the stream resumes after the last event seen.
import { pause } from "./api";
import { credentials, isOwn, renew, session } from "./session";

export interface Happening {
  type: string;
  time: string;
  data: Record<string, unknown>;
}

type Hear = (happening: Happening) => void;

const TYPES = [
  "packet.sent", "packet.opened", "packet.claimed", "packet.entered", "packet.finished",
  "packet.drawn", "packet.expired", "packet.invalidated", "balance.credited", "funding.done",
  "transfer.done", "topup.opened", "topup.closed", "topup.credited", "topup.held",
  "topup.rejected", "refund.succeeded", "gift.sent", "payout.asked", "payout.succeeded",
  "payout.failed", "payout.cancelled", "coins.expired", "income.settled", "advance.given",
  "advance.payment_requested", "advance.confirmed", "advance.clawed_back", "advance.repaid",
].map((name) => `${name}.v1`).join(",");
const WAIT_MS = 1_000;
const hearers = new Set<Hear>();
const wakers = new Set<() => void>();
const UNAUTHENTICATED = 401;
/** The last event seen of each stream. */
const last: Record<string, string> = {};

/** A stream that is followed, and what ends the reading of it that is under way. */
interface Followed {
  query: string;
  isOn: boolean;
  stop: AbortController;
}
const followed = new Set<Followed>();

/** Be told of what happens until the returned function is called. */
export function listen(hear: Hear): () => void {
  hearers.add(hear);
  return () => hearers.delete(hear);
}

/** Be told when a broken stream is whole again, for what a stream cannot tell. */
export function onWake(wake: () => void): () => void {
  wakers.add(wake);
  return () => wakers.delete(wake);
}

function tell(block: string, query: string): void {
  const fields = block.split(/\r?\n/).map((line) => /^(\w+): ?(.*)$/.exec(line) ?? []);
  const of = (name: string) => fields.filter((field) => field[1] === name).map((field) => field[2]);
  const id = of("id").join("");
  if (id) last[query] = id;
  const data = of("data").join("\n");
  if (!data) return;
  const happening = JSON.parse(data) as Happening;
  for (const hear of hearers) {
    try {
      hear(happening);
    } catch (fault) {
      reportError(fault); // a mistake of one hearer costs the others nothing
    }
  }
}

async function read(answer: Response, query: string): Promise<void> {
  if (!answer.ok || !answer.body) throw new Error(String(answer.status));
  const reader = answer.body.getReader();
  const decoder = new TextDecoder();
  for (let rest = ""; ; ) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + decoder.decode(value, { stream: true })).split(/\r?\n\r?\n/);
    rest = blocks.pop() ?? "";
    blocks.forEach((block) => tell(block, query));
  }
}

/** Read one stream until it ends; what its events are about is said in the query. */
async function stream({ query, stop }: Followed): Promise<void> {
  const path = `/v1/events?types=${TYPES}${query}`;
  const headers: Record<string, string> = {
    ...(await credentials("GET", path)), Accept: "text/event-stream",
  };
  if (last[query]) headers["Last-Event-ID"] = last[query];
  const answer = await fetch(path, { headers, signal: stop.signal, cache: "no-store" });
  if (answer.status === UNAUTHENTICATED) await renew();
  for (const wake of wakers) wake();
  await read(answer, query);
}

const seen = (): Promise<void> =>
  new Promise((done) => {
    if (!document.hidden) done();
    else document.addEventListener("visibilitychange", () => done(), { once: true });
  });

/** Follow a stream until it is stopped: cut or let go, it goes on after the last event seen. */
async function keepOn(own: Followed): Promise<void> {
  followed.add(own);
  for (await seen(); own.isOn; await seen()) {
    own.stop = new AbortController();
    try {
      await stream(own);
    } catch {
      // Tried again below.
    }
    await pause(WAIT_MS);
  }
  followed.delete(own);
}

/** Begin to follow; return what ends it. */
function begin(query: string): () => void {
  const own: Followed = { query, isOn: true, stop: new AbortController() };
  void keepOn(own);
  return () => {
    own.isOn = false;
    own.stop.abort();
  };
}

/** Follow what happens for as long as the page lives. */
export function follow(): void {
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) for (const each of followed) each.stop.abort();
  });
  begin(isOwn() ? `&user_id=${session.userId}` : "");
}

/** Follow one packet while somebody looks; a person's own stream tells only of her own share. */
export function followPacket(packetId: string): () => void {
  const query = `&packet_id=${packetId}`;
  const end = isOwn() ? begin(query) : () => undefined;
  return () => {
    end();
    delete last[query]; // who comes back reads the packet anew
  };
}
