// wechatpay-node-v3, unmodified: its addresses are fixed, so its requests are led here underneath.
"use strict";
const Pay = require("wechatpay-node-v3");
const { live } = require("./life.js");

const HOME = "https://api.mch.weixin.qq.com";

live((setting) => {
  const pay = new Pay({
    appid: setting.appid,
    mchid: setting.mchid,
    serial_no: setting.serial_no,
    publicKey: Buffer.from(setting.certificate_pem),
    privateKey: Buffer.from(setting.private_key_pem),
    key: setting.api_v3_key,
  });
  // It knows certificates only; a platform's public key is put among them under its own name.
  if (setting.platform_public_key_id) {
    Pay.certificates[setting.platform_public_key_id] = setting.platform_public_key_pem;
  }
  const inner = pay.httpService;
  // As a proxy that ends TLS would forward them.
  const forwarded = { Host: new URL(HOME).host, "X-Forwarded-Proto": "https" };
  const lead = (url) => url.replace(HOME, setting.base_url);
  pay.createHttp({
    get: (url, headers) => inner.get(lead(url), { ...headers, ...forwarded }),
    post: (url, body, headers) => inner.post(lead(url), body, { ...headers, ...forwarded }),
  });
  const data = async (asked) => {
    const answer = await asked;
    if (answer.status !== 200) throw new Error(JSON.stringify(answer));
    return answer.data;
  };
  const download = async (offer) => {
    const text = await data(pay.downloadBill(offer.download_url));
    return { lines: text.split("\r\n") };
  };
  return {
    prepay: (order) => data(pay.transactions_jsapi(order)),
    query: (number) => data(pay.query({ out_trade_no: number })),
    close: async (number) => (await pay.close(number)).status,
    refund: (wish) => data(pay.refunds(wish)),
    read: async ({ headers, body }) => {
      const isGenuine = await pay.verifySign({
        timestamp: headers["wechatpay-timestamp"],
        nonce: headers["wechatpay-nonce"],
        serial: headers["wechatpay-serial"],
        signature: headers["wechatpay-signature"],
        body,
      });
      if (!isGenuine) return null;
      const { ciphertext, associated_data: associated, nonce } = JSON.parse(body).resource;
      return pay.decipher_gcm(ciphertext, associated, nonce);
    },
    bill: async (date) => download(await data(pay.tradebill({ bill_date: date }))),
    funds: async (date) => download(await data(pay.fundflowbill({ bill_date: date }))),
  };
});
