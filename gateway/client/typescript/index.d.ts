import type { ChannelName, ErrorName, EventOf, Methods, NotRecovered } from "./api.js";

export type * from "./api.js";

export interface GatewayOptions {
  /** For one call; 30 seconds if absent. The gateway's own deadlines are shorter. */
  timeoutMs?: number;
  /** Another one than the platform's. */
  fetch?: typeof fetch;
  /** Another one than the platform's: Node.js has one since version 22. */
  WebSocket?: new (url: string, protocols: string[]) => WebSocket;
}

export interface CallOptions {
  /**
   * For how long reads, and orders, are tried again: when no answer came, or the error is one that may pass and nothing was sent.
   * All tries of an order have one `client_order_id`, so that it is sent once at most. 0, not at all, if absent.
   */
  retryMs?: number;
  signal?: AbortSignal;
}

/** Params may be left out where a method needs none. */
type Arguments<P> = object extends P ? [params?: P, options?: CallOptions] : [params: P, options?: CallOptions];

/** Where a copy of a channel stands. */
export interface StreamPosition {
  epoch: string;
  seq: number;
}

export interface SubscribeOptions {
  /** False: begin with the next change. */
  snapshot?: boolean;
  terminal?: string;
  /** Go on where an earlier subscription was: its `positions`. */
  since?: Record<string, StreamPosition>;
}

/** The connection was lost, and is there again. `recovered`: nothing is missing. */
export interface Reconnected {
  channel: string;
  terminal: string;
  epoch: string;
  seq: number;
  type: "reconnected";
  ts: number;
  data: { recovered: boolean | null; reason: NotRecovered | null; replayed: number };
}

/** Found by this client itself, or a channel that is not there any more after a loss. */
export interface LocalEvent {
  channel: string;
  terminal: string;
  epoch: string;
  seq: number;
  type: "gap" | "end";
  ts: number;
  data: Record<string, unknown>;
}

/**
 * Events, to be iterated over with `for await`; `break` closes the connection. A connection that is lost later on is opened again for as long
 * as it takes, and each channel goes on after its last event: an event `reconnected` tells whether something is missing.
 */
export interface EventStream<E> extends AsyncIterableIterator<E> {
  /** Of the last event that was taken, by channel: `since` of a later subscription, in another process too. */
  readonly positions: Record<string, StreamPosition>;
  return(): Promise<IteratorResult<E, undefined>>;
}

export class Gateway {
  /** @param url such as `http://127.0.0.1:7400` */
  constructor(url: string, authToken: string, options?: GatewayOptions);
  /**
   * Call a method and return its result.
   * @throws GatewayError the answer is an error
   * @throws NoAnswer none came
   */
  call<M extends keyof Methods>(
    method: M,
    ...rest: Arguments<Methods[M]["params"]>
  ): Promise<Methods[M]["result"]>;
  /** Subscribe to channels such as `tick:EURUSD`, `bar.M1:EURUSD` and `orders`. */
  subscribe<C extends ChannelName>(
    channels: C | readonly C[],
    options?: SubscribeOptions,
  ): EventStream<EventOf<C> | Reconnected | LocalEvent>;
}

/** What becomes of a trade that has failed: `not_sent` may be sent again, `rejected` is final, `unknown` may have been executed. */
export type TradeOutcome = "not_sent" | "rejected" | "unknown";

export class GatewayError<N extends string = ErrorName | (string & {})> extends Error {
  /** The stable name, such as `market_closed`. */
  name: N;
  code: number;
  /** The same call may work later, unchanged. */
  retryable: boolean;
  outcome?: TradeOutcome;
  data: Record<string, unknown>;
  /** Of the order, the same in all tries. */
  clientOrderId?: string;
}

export class NoAnswer extends Error {
  name: "no_answer";
  retryable: boolean;
  /** Of a trade: `unknown`. Call again with the same `client_order_id`: it is not sent twice. */
  outcome?: "unknown";
  clientOrderId?: string;
}

/** An id that no order ever had; make it once for an order, outside of what repeats the call. */
export function newClientOrderId(): string;

/** Events that wait to be taken; with more, the connection is given up and resumed from the last that was taken. */
export const MAX_WAITING: number;
