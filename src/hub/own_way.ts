// How a hub is reached where the agent's own programs may stand in the way: what a room that makes requests has to tell.

/** One try to reach a hub, over when it is disposed; it lasts until the answer begins. */
export interface Attempt extends Disposable {
	/** Milliseconds until the answer must begin; undefined for as long as any request has. */
	readonly patience: number | undefined;
	/** The hub has answered, whatever it said. */
	worked(): void;
	/** No answer: no connection, a wrong peer, or silence. "again": at once, as this try was another way than any client's. */
	failed(): "again" | "later";
}

/** Of one hub. */
export interface OwnWay {
	/** To be called right before the connection may be made. `url` is for the log. */
	begin(url: string): Attempt;
}

const AS_ANY_CLIENT: Attempt = {
	patience: undefined,
	worked() {},
	failed: () => "later",
	[Symbol.dispose]() {},
};

/** Where no programs of ours are. */
export const ONE_WAY: OwnWay = { begin: () => AS_ANY_CLIENT };
