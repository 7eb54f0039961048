// How the agent finds out whether a backend serves: annotation balancing.elf.io/health-check.

import type { Port } from "./address.ts";

/**
 * `tcp`, `http:/healthz`, `https:/healthz` or `dns:example.org`, then what differs from the defaults:
 * `tcp interval=5s timeout=1s fails=3 passes=2 panic=0% port=8081`.
 */
export interface HealthCheck {
	/** `tcp`: a connection is made. `http`, `https`: GET gives 200 to 399; certificates are not checked. `dns`: a question by UDP is answered. */
	readonly probe:
		| { readonly kind: "tcp" }
		| { readonly kind: "http" | "https"; readonly path: string }
		| { readonly kind: "dns"; readonly name: string };
	/** Milliseconds between two probes of one backend, in the mean; 1,000 to 3,600,000. Default 10,000. */
	readonly interval: number;
	/** Milliseconds until a probe has failed; less than the interval. Default 2,000 or half the interval. */
	readonly timeout: number;
	/** Failures one after another that quarantine a backend; 1 to 100. Default 3. */
	readonly fails: number;
	/** Successes one after another that bring it back; 1 to 100. Default 2. */
	readonly passes: number;
	/** Percent of the backends of one frontend: where no more than these are well, all are used. 0 to 100. Default 0: where none is. */
	readonly panic: number;
	/** What is probed instead of the backend's own port. */
	readonly port?: Port;
}
