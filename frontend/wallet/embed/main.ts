// The elements for other apps' pages: one classic script, which registers what it brings.
import { defineCustomElement } from "vue";
import LqPacket from "./LqPacket.ce.vue";
import LqWalletButton from "./LqWalletButton.ce.vue";

customElements.define("lq-packet", defineCustomElement(LqPacket));
customElements.define("lq-wallet-button", defineCustomElement(LqWalletButton));
