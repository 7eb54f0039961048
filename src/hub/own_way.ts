// How a hub is reached where the agent's own programs may stand in the way: what a room that makes requests has to tell.

/** As any client of the host's, by frontends; or past them. */
export type Way = "translated" | "untranslated";

/** One try to reach a hub, over when it is disposed; it lasts until the answer begins. */
export interface Attempt extends Disposable {
	/** Milliseconds until the answer must begin; undefined for as long as any request has. */
	readonly patience: number | undefined;
	/** The hub has answered, whatever it said. */
	worked(): void;
	/** No answer: no connection, a wrong peer, or silence. Returns the way that is worth a try at once, if there is one. */
	failed(): Way | undefined;
}

/** Of one hub. */
export interface OwnWay {
	/**
	 * To be called right before the connection may be made. `target` is the URL of what is connected to; `way` is what a try
	 * that has just failed gave.
	 */
	begin(target: string, way?: Way): Attempt;
}

const AS_ANY_CLIENT: Attempt = {
	patience: undefined,
	worked() {},
	failed: () => undefined,
	[Symbol.dispose]() {},
};

/** Where no programs of ours are. */
export const ONE_WAY: OwnWay = { begin: () => AS_ANY_CLIENT };
