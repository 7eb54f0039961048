// Runs a command of the machine that must succeed.

/** Its standard output. Throws with what it said. */
export function must(...command: readonly string[]): string {
	const { exitCode, stdout, stderr } = Bun.spawnSync([...command], { stdin: "ignore" });
	if (exitCode !== 0) throw new Error(`Cannot run ${command.join(" ")}: ${stderr.toString().trim()}`);
	return stdout.toString();
}
