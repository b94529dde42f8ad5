// The elements for other apps' pages: one classic script, which registers what it brings.
import { defineCustomElement } from "vue";
import LqPacket from "./LqPacket.ce.vue";
import { walletIsAt } from "../source/dress";
import LqWalletButton from "./LqWalletButton.ce.vue";
import { WALLET } from "./overlay";

walletIsAt(WALLET);
customElements.define("lq-packet", defineCustomElement(LqPacket));
customElements.define("lq-wallet-button", defineCustomElement(LqWalletButton));
