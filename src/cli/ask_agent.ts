// What the agent of this host says of itself, over its Unix socket.

import { agentSocket } from "../agent/socket.ts";
import { errorCode } from "../lib/error_code.ts";
import { fetchPage } from "../observe/http.ts";
import { type AgentStatus, parseStatus } from "../observe/status.ts";

/** Milliseconds after which an agent counts as stuck. */
const PATIENCE = 5000;

/** Undefined if no agent runs. Throws if it does not answer, or not us. */
export async function askAgent(stateDir: string, signal: AbortSignal): Promise<AgentStatus | undefined> {
	const socket = agentSocket(stateDir);
	const late = AbortSignal.timeout(PATIENCE);
	try {
		const { body } = await fetchPage(socket, "/status", AbortSignal.any([signal, late]));
		return parseStatus(body);
	} catch (cause) {
		const code = errorCode(cause);
		if (code === "ENOENT" || code === "ECONNREFUSED") return undefined;
		const fact = late.aborted ? `no answer within ${PATIENCE / 1000} s` : `${code} (needs root)`;
		throw new Error(`Cannot ask the agent at ${socket}: ${fact}`, { cause });
	}
}
