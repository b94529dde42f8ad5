// What an order buys, in words.
import { yuan } from "./money";
import type { OrderShown } from "./schema";
import { coinsOf } from "./words";

/** Coins where it buys coins, with those given along; a sum where it fills the balance. */
export const goodsOf = ({ coins, bonus_coins: bonus, amount_fen: fen }: OrderShown): string =>
  coins ? coinsOf(coins + (bonus ?? 0)) : `¥${yuan(fen)}`;
