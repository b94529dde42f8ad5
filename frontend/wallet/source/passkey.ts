// Passkeys: the phone's own finger or face, made for this site only and signing one payment at a
// time (WebAuthn). The private key is the phone's; nothing of a finger ever comes here.
import { ask } from "./api";
import { read64, write64 } from "./base64";
import { session } from "./session";

interface Made {
  challenge: string;
  user: { id: string; name: string; displayName: string };
  excludeCredentials?: { type: "public-key"; id: string }[];
  [name: string]: unknown;
}

const me = (): string => `users/${session.userId}`;

const textOf = (bytes: ArrayBuffer): string => write64(new Uint8Array(bytes));

/** Whether this phone can make passkeys at all. */
export const hasPasskeys = (): boolean =>
  typeof PublicKeyCredential !== "undefined" && window.isSecureContext;

/** Make a passkey on this phone; with the payment password, where one is set. */
export async function addPasskey(password: string, name: string): Promise<void> {
  const fields = password ? { password } : {};
  const { public_key: asked } = await ask<{ public_key: Made }>(
    "POST", `${me()}/passkeys/options`, { fields },
  );
  const options = {
    ...asked,
    challenge: read64(asked.challenge),
    user: { ...asked.user, id: read64(asked.user.id) },
    excludeCredentials: (asked.excludeCredentials ?? []).map((each) => ({ ...each, id: read64(each.id) })),
  } as unknown as PublicKeyCredentialCreationOptions;
  const made = (await navigator.credentials.create({ publicKey: options })) as PublicKeyCredential;
  const answer = made.response as AuthenticatorAttestationResponse;
  const told = {
    client_data: textOf(answer.clientDataJSON), attestation: textOf(answer.attestationObject), name,
  };
  await ask("POST", `${me()}/passkeys`, { fields: told });
}

/** Throw a passkey away. */
export const removePasskey = (id: string): Promise<unknown> => ask("DELETE", `${me()}/passkeys/${id}`);

/** Prove a payment by finger or face; the phone signs this payment's challenge and nothing else. */
export async function provePasskey(challenge: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(challenge));
  const { passkeys } = await ask<{ passkeys: { id: string }[] }>("GET", `${me()}/security`);
  const allowed = passkeys.map(({ id }) => ({ type: "public-key" as const, id: read64(id) }));
  const publicKey = {
    challenge: digest, allowCredentials: allowed, userVerification: "required" as const,
  } as PublicKeyCredentialRequestOptions;
  const made = (await navigator.credentials.get({ publicKey })) as PublicKeyCredential;
  const answer = made.response as AuthenticatorAssertionResponse;
  const passkey = {
    id: textOf(made.rawId), client_data: textOf(answer.clientDataJSON),
    authenticator_data: textOf(answer.authenticatorData), signature: textOf(answer.signature),
  };
  const told = await ask<{ payment_token: string }>("POST", `${me()}/payment-tokens`, {
    fields: { challenge, passkey },
  });
  return `passkey ${told.payment_token}`;
}
