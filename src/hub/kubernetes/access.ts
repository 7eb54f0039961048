// Everything that a request to an API server needs besides its path.

import type { Tls } from "./http.ts";

export interface Access {
	/** Without a slash at the end; it may have a path. */
	readonly url: string;
	readonly tls: Tls;
	readonly headers: Readonly<Record<string, string>>;
	/** URL; undefined for a direct connection. */
	readonly proxy: string | undefined;
}

/** What was read from files; a plugin's part is asked for anew each time, it keeps its own time. */
export interface AccessSource extends Access {
	readonly plugin?: () => Promise<Pick<Access, "tls" | "headers">>;
}
