// wechatpay-axios-plugin, unmodified: it verifies every answer by itself.
"use strict";
const { Wechatpay, Rsa, Aes, Formatter } = require("wechatpay-axios-plugin");
const { live } = require("./life.js");

live((setting) => {
  const certs = {};
  for (const [serial, pem] of Object.entries(setting.platform_certificates)) {
    certs[serial] = Rsa.from(pem, Rsa.KEY_TYPE_PUBLIC);
  }
  if (setting.platform_public_key_id) {
    certs[setting.platform_public_key_id] = Rsa.from(
      setting.platform_public_key_pem,
      Rsa.KEY_TYPE_PUBLIC,
    );
  }
  const { mchid, serial_no: serial } = setting;
  const { v3 } = new Wechatpay({
    mchid,
    serial,
    privateKey: Rsa.from(setting.private_key_pem, Rsa.KEY_TYPE_PRIVATE),
    certs,
    baseURL: `${setting.base_url}/`,
  });
  const orders = v3.pay.transactions;
  const download = async (offer) => {
    const { pathname, searchParams } = new URL(offer.data.download_url);
    const params = Object.fromEntries(searchParams);
    const place = v3[pathname.replace("/v3/", "")];
    const file = await place.get({ params, responseType: "arraybuffer" });
    return Formatter.castCsvBill(file.data);
  };
  return {
    prepay: async (order) => (await orders.jsapi.post(order)).data,
    query: async (number) => {
      const asked = { params: { mchid }, out_trade_no: number };
      return (await orders.outTradeNo._out_trade_no_.get(asked)).data;
    },
    close: async (number) => {
      const named = { out_trade_no: number };
      return (await orders.outTradeNo._out_trade_no_.close.post({ mchid }, named)).status;
    },
    refund: async (wish) => (await v3.refund.domestic.refunds.post(wish)).data,
    read: async ({ headers, body }) => {
      const message = Formatter.response(
        headers["wechatpay-timestamp"],
        headers["wechatpay-nonce"],
        body,
      );
      const key = certs[headers["wechatpay-serial"]];
      if (!Rsa.verify(message, headers["wechatpay-signature"], key)) return null;
      const { ciphertext, nonce, associated_data: associated } = JSON.parse(body).resource;
      return JSON.parse(Aes.AesGcm.decrypt(ciphertext, setting.api_v3_key, nonce, associated));
    },
    bill: async (date) => download(await v3.bill.tradebill.get({ params: { bill_date: date } })),
    funds: async (date) =>
      download(await v3.bill.fundflowbill.get({ params: { bill_date: date } })),
  };
});
