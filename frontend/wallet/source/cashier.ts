// The cashier: WeChat's own, called as a page inside WeChat calls it (JSBridge).
//
// Law: what the bridge answers is for display only; the server says what was paid.
import { canSeal, cipher } from "./seal";
import { session } from "./session";

interface Bridge {
  invoke(call: string, parameters: object, answer: (said: { err_msg: string }) => void): void;
}

declare global {
  interface Window {
    WeixinJSBridge?: Bridge;
  }
}

export type Paid = "ok" | "cancel" | "fail" | "absent";
const READY_MS = 5_000;

/** Where WeChat does not put its bridge into the page, the simulator's takes its place. */
function load(): void {
  if (window.WeixinJSBridge || !session.bridge || document.querySelector("[data-bridge]")) return;
  const script = document.createElement("script");
  script.src = session.bridge;
  script.dataset.bridge = "";
  document.head.append(script);
}

function ready(): Promise<Bridge | null> {
  load();
  if (window.WeixinJSBridge) return Promise.resolve(window.WeixinJSBridge);
  return new Promise((resolve) => {
    const done = () => resolve(window.WeixinJSBridge ?? null);
    document.addEventListener("WeixinJSBridgeReady", done, { once: true });
    setTimeout(done, READY_MS);
  });
}

async function call(name: string, parameters: object): Promise<Paid> {
  const bridge = await ready();
  if (!bridge) return "absent";
  return new Promise((resolve) => {
    bridge.invoke(name, parameters, ({ err_msg: said }) => {
      const word = said.slice(said.lastIndexOf(":") + 1);
      resolve(word === "ok" || word === "cancel" ? word : "fail");
    });
  });
}

/** Prepare the bridge and the cipher before anybody pays, so that the sheet comes at once. */
export const warm = (): void => {
  void ready();
  if (canSeal()) cipher().catch(() => undefined); // the payment itself will ask again
};

/** Open the pay sheet. */
export const pay = (invocation: object): Promise<Paid> => call("getBrandWCPayRequest", invocation);

/** Ask the person to take a transfer. */
export const take = (confirmation: object): Promise<Paid> =>
  call("requestMerchantTransfer", confirmation);

/** How this person pays, as the API wants to be told. */
export const way = (): { product: "jsapi"; payer: { openid: string } } => ({
  product: "jsapi", payer: { openid: session.openid },
});
