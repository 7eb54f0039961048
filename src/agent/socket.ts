// Where an agent answers our own commands.

/** The Unix socket in the agent's state directory. */
export function agentSocket(stateDir: string): string {
	return `${stateDir}/agent.sock`;
}
