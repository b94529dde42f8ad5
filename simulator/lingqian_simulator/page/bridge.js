// WeixinJSBridge outside WeChat: the same calls, answered by the simulator's pay sheet.
//
// A page includes this script where WeChat would have injected its own object. Parameters are
// checked with the merchant's key first; the sheet then opens above the page.
(() => {
  "use strict";
  if (window.WeixinJSBridge) return;
  const home = new URL(document.currentScript.src).origin;
  const CALLS = {
    getBrandWCPayRequest: { check: "/bridge/pay", name: "get_brand_wcpay_request" },
    requestMerchantTransfer: { check: "/bridge/transfer", name: "requestMerchantTransfer" },
  };

  // In WeChat the sheet is a part of the app: what never changes of it is here before anybody pays.
  for (const part of ["/sheet.js", "/page.css"]) {
    fetch(home + part, { mode: "no-cors" }).catch(() => undefined);
  }

  const open = (path) =>
    new Promise((resolve) => {
      const frame = document.createElement("iframe");
      frame.src = home + path;
      frame.title = "微信支付模拟器";
      frame.dataset.simulator = "sheet";
      frame.style.cssText =
        "position:fixed;inset:0;width:100%;height:100%;border:0;z-index:2147483647;" +
        "background:rgba(0,0,0,.4)";
      const listen = (event) => {
        if (event.source !== frame.contentWindow || event.origin !== home) return;
        if (typeof event.data?.result !== "string") return;
        window.removeEventListener("message", listen);
        frame.remove();
        resolve(event.data.result);
      };
      window.addEventListener("message", listen);
      document.body.append(frame);
    });

  const invoke = async (call, parameters) => {
    const row = CALLS[call];
    if (!row) return { err_msg: `${call}:fail`, err_desc: "not known to the simulator" };
    try {
      // As plain text, so that a browser does not ask beforehand.
      const body = JSON.stringify(parameters ?? {});
      const answer = await (await fetch(home + row.check, { method: "POST", body })).json();
      if (!answer.sheet) return answer;
      return { err_msg: `${row.name}:${await open(answer.sheet)}` };
    } catch (fault) {
      return { err_msg: `${row.name}:fail`, err_desc: String(fault) };
    }
  };

  window.WeixinJSBridge = {
    invoke(call, parameters, callback) {
      invoke(call, parameters).then((answer) => callback?.(answer));
    },
    call() {},
    on() {},
  };
  const ready = () => document.dispatchEvent(new Event("WeixinJSBridgeReady"));
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", ready);
  else setTimeout(ready);
})();
