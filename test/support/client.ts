// A process in a cgroup and a network namespace that makes socket calls on command (client.c).

import { compiled } from "./compile.ts";
import { type Lines, lines } from "./lines.ts";

/** Disposed, it has ended: its sockets are closed. */
export interface Client extends AsyncDisposable {
	readonly pid: number;
	/** One command of client.c: its answer, `ok ...` or the name of an errno. */
	run(command: string): Promise<string>;
	/** What an `ok` came with. Throws on anything else. */
	ask(command: string): Promise<string>;
	/** Several commands, each of which must succeed; the answer of the last. */
	each(...commands: readonly string[]): Promise<string>;
	kill(): Promise<void>;
}

export interface ClientPlace {
	/** The name of a network namespace. */
	readonly netns: string;
	/** The folder of a cgroup; without it the client stays outside. */
	readonly cgroup?: string;
}

export function client({ netns, cgroup = "-" }: ClientPlace): Client {
	return talk(lines([compiled("test/support/client.c"), netns, cgroup]));
}

function talk(child: Lines): Client {
	function run(command: string): Promise<string> {
		child.write(command);
		return child.read();
	}

	async function ask(command: string): Promise<string> {
		const answer = await run(command);
		if (answer !== "ok" && !answer.startsWith("ok ")) throw new Error(`${command}: ${answer}`);
		return answer.slice("ok ".length);
	}

	async function each(...commands: readonly string[]): Promise<string> {
		let answer = "";
		for (const command of commands) answer = await ask(command);
		return answer;
	}

	return { pid: child.pid, run, ask, each, kill: child.kill, [Symbol.asyncDispose]: child.kill };
}

/** How often each outcome of a storm came: `0>10.0.0.1|80`, `1!ECONNREFUSED`. */
export function outcomes(answer: string): ReadonlyMap<string, number> {
	const pairs = answer.split(" ").filter((word) => word !== "");
	return new Map(
		pairs.map((pair) => [pair.slice(0, pair.lastIndexOf("=")), Number(pair.slice(pair.lastIndexOf("=") + 1))]),
	);
}
