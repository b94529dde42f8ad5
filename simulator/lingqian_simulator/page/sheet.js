// The pay sheet: shows what is asked for, then the finger, then what became of it.
(() => {
  "use strict";
  const query = new URLSearchParams(location.search);
  const prepayId = query.get("prepay_id") ?? "";
  const packageInfo = query.get("package") ?? "";
  const isTransfer = !prepayId;
  const at = (id) => document.getElementById(id);
  const yuan = (fen) => `¥${Math.floor(fen / 100)}.${String(fen % 100).padStart(2, "0")}`;
  const names = isTransfer ? { package: packageInfo } : { prepay_id: prepayId };

  const leave = (result) => {
    if (parent !== window) parent.postMessage({ result }, "*");
    else if (result === "cancel") say("已取消 Cancelled");
  };
  const say = (text) => {
    at("message").textContent = text;
  };

  const show = (data) => {
    at("merchant").textContent = data.merchant;
    at("amount").textContent = yuan(data.amount_fen);
    at("words").textContent = data.words;
    document.body.classList.toggle("packet", data.style === "RED_PACKET");
    const isConfirming = data.step === "confirming";
    at("finger").hidden = !isConfirming;
    at("confirm").hidden = isConfirming || data.reason !== "";
    at("confirm").textContent = isTransfer ? "确认收款 Receive" : "立即支付 Pay";
    say(isConfirming ? "请验证指纹或面容 Touch the sensor" : words(data));
  };
  const words = (data) => {
    if (data.state === "SUCCESS" || data.state === "REFUND") return "支付成功 Paid";
    if (data.state === "TRANSFERING") return "已收款 Received";
    if (data.reason) return `支付请求已失效 ${data.reason}`;
    return isTransfer ? "商家向你转账 A transfer for you" : "";
  };

  const press = async (button) => {
    const answer = await fetch("/sheet/press", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ button, ...names }),
    });
    const data = await answer.json();
    if (!answer.ok) {
      say(data.error);
      return false;
    }
    show(data);
    return true;
  };
  const finish = () => {
    at("confirm").hidden = at("finger").hidden = true;
    const back = query.get("redirect_url");
    if (back && /^https?:\/\//.test(back)) {
      at("back").href = back;
      at("back").hidden = false;
    }
    setTimeout(() => leave("ok"), 600);
  };

  at("cancel").addEventListener("click", async () => {
    await press("cancel").catch(() => false);
    leave("cancel");
  });
  at("confirm").addEventListener("click", async () => {
    if ((await press("confirm")) && isTransfer) finish();
  });
  at("finger").addEventListener("click", async () => {
    if (await press("fingerprint")) finish();
  });

  fetch(`/sheet/data?${new URLSearchParams(names)}`)
    .then(async (answer) => {
      const data = await answer.json();
      if (answer.ok) show(data);
      else say(data.error);
    })
    .catch((fault) => say(String(fault)));
})();
