// Proving a payment: the server asks for it, the person types six digits, and the payment is asked
// for again with what that gave. The digits are never kept, and go to our own server only.
import { ref } from "vue";
import { ask, proveWith, Refused } from "./api";
import { go } from "./route";
import { session } from "./session";
import { tell } from "./tell";
import { moment, say } from "./words";

interface Asking {
  challenge: string;
  /** What proves it: any one of these. */
  needs: string[];
  /** What is being paid, as the server books it; 0 where there is no sum. */
  amountFen: number;
  answer: (header: string | null) => void;
}

/** What is being asked of the person; null while nothing is. */
export const asking = ref<Asking | null>(null);

interface Problem {
  tries_left?: number;
  locked_until?: string;
}

/** Say how a wrong password ended: how many tries are left, or until when there are none. */
export function wrongWords(fault: Refused): string {
  const { tries_left: left, locked_until: until } = fault.problem as Problem;
  if (until) return `${fault.words} ${say("locked_until", moment(until))}`;
  return left === undefined ? fault.words : `${fault.words} ${say("tries_left", left)}`;
}

/** Trade the password for a token that pays this one thing once. */
export async function prove(challenge: string, password: string): Promise<string> {
  const fields = { challenge, password };
  const path = `users/${session.userId}/payment-tokens`;
  const told = await ask<{ payment_token: string }>("POST", path, { fields });
  return `password ${told.payment_token}`;
}

proveWith(async (refusal) => {
  const { challenge, needs, amount_fen: amountFen = 0 } = refusal.problem as {
    challenge?: string; needs?: string[]; amount_fen?: number;
  };
  if (refusal.code === "password_not_set") {
    tell(say("set_password_first"));
    go("security");
    return null;
  }
  if (!challenge) return null;
  const header = await new Promise<string | null>((answer) => {
    asking.value = { challenge, needs: needs ?? ["password"], amountFen, answer };
  });
  asking.value = null;
  return header;
});
