import type { Audit, Gate, OnDenied } from '@countersign/core'

/** A request as the gate contract sends it. */
export interface ContractRequest {
  /** Default `GET`. */
  readonly method?: string | undefined
  /** With its query. Default `/`. */
  readonly path?: string | undefined
  /** A list is as many header fields. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>> | undefined
  readonly body?: string | Uint8Array | undefined
}

/** Makes a request for a server; `url` is the server's, without a trailing slash. */
export type MakeContractRequest = (url: string) => ContractRequest | Promise<ContractRequest>

/** A request that a gate must refuse, and how. */
export interface RefusedRequest {
  readonly request: ContractRequest | MakeContractRequest
  readonly status: 400 | 401 | 403 | 413 | 415
  /** What the event must say. */
  readonly reason: string
}

/** What the gate under test must be made with. */
export interface ContractOptions {
  /** For the gate's option `audit`. */
  readonly audit: Audit
  /** For the gate's option `onDenied`. */
  readonly onDenied: OnDenied | undefined
  /** Wraps each store and callback that the gate asks, so that the contract can make it fail. */
  breakable<T extends object>(port: T): T
}

/** A gate under test, with requests for it. */
export interface GateSubject {
  readonly gate: Gate
  /** A request that the gate grants: a new one on each call. The gate must ask what was wrapped in order to decide. */
  readonly good: MakeContractRequest
  /** Requests that the gate refuses, by what is wrong with them: at least one whose credential is malformed. */
  readonly bad: Readonly<Record<string, RefusedRequest>>
  /** Requests that carry something, but nothing that could be meant for this gate. */
  readonly foreign?: Readonly<Record<string, ContractRequest>> | undefined
  /**
   * What an upgrade needs beside the credential, such as an `Origin`. `false` for a gate that takes none, because it decides
   * on bodies. Default: nothing.
   */
  readonly upgrade?: { readonly headers: Readonly<Record<string, string>> } | false | undefined
  /** Called when a case is over. */
  close?(): void | Promise<void>
}

/** What {@link gateContract} runs on. */
export interface GateContractOptions {
  /** The function that makes the gate, such as `requireKey`: its handler's name. */
  readonly name: string
  /** Makes a gate that nothing else uses. Called at least once for each case. */
  make(options: ContractOptions): GateSubject | Promise<GateSubject>
}
