// What the verifier's module gives (frontend/verifier/verify.mjs), as far as the pages use it.
export interface Finding {
  check: string;
  ok: boolean;
  checked: boolean;
  zh: string;
  en: string;
}

export interface Share {
  sequence: bigint;
  amount_fen: bigint;
  pseudonym?: Uint8Array;
}

export interface Verdict {
  ok: boolean;
  readable: boolean;
  level: string | number | null;
  limits: { zh: string; en: string }[];
  proof: {
    commitment: Uint8Array;
    total_fen: bigint;
    count: bigint;
    refund_fen: bigint;
    claims: Share[];
    results: Share[];
    draw: boolean;
  } | null;
  findings: Finding[];
}

export interface Verifier {
  verify(text: string): Promise<Verdict>;
  toHex(bytes: Uint8Array): string;
}
