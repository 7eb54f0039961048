// Whether a TCP connection can be made.

import { connect } from "node:net";
import { examine, type Target } from "./examination.ts";
import { duration, failed, failedWith, type Outcome, PASSED } from "./outcome.ts";

export function probeTcp(target: Target): Promise<Outcome> {
	const { ip, port, timeout } = target;
	return examine(target, (end) => {
		const socket = connect({ host: ip, port });
		socket.once("connect", () => end(PASSED));
		// Also what comes after the end: an error that nobody hears ends the process.
		socket.on("error", (error) => end(failedWith(error)));
		return {
			close: () => void socket.destroy(),
			late: () => failed(`no connection within ${duration(timeout)}`),
		};
	});
}
