/** Wire shapes the console reads and that no noun's contract declares. */

/** RFC 9457, as every refusal of the platform is written. */
export type ProblemDocument = {
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail?: string;
  readonly request_id?: string;
  readonly errors?: readonly { readonly pointer: string; readonly detail: string }[];
};

/** `GET /auth/session`: whose page this is and what whoever is signed in may do. */
export type SignedIn = {
  readonly tenant: {
    readonly id: string;
    readonly slug: string;
    readonly name: string;
    readonly status: "active" | "suspended" | "erasing";
  };
  readonly principal: {
    readonly kind: "key" | "user" | "app_client" | "platform";
    readonly id: string;
    readonly scopes: readonly string[];
  };
  /** Null for a session that stands for a key. */
  readonly user: {
    readonly id: string;
    readonly email: string;
    readonly name: string;
    readonly revision: number;
  } | null;
};

/** What of the console the key behind the cookie can use; the server decides again. */
export type May = { readonly invoke: boolean; readonly write: boolean };
