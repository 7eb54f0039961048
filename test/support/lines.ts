// A child process that is talked to in lines.

export interface Lines extends Disposable {
	readonly pid: number;
	write(line: string): void;
	/** The next line of its standard output. Throws with what it said if it ends instead. */
	read(): Promise<string>;
	/** Ends it by SIGKILL and waits for that. */
	kill(): Promise<void>;
}

export function lines(command: readonly string[]): Lines {
	const child = Bun.spawn([...command], { stdin: "pipe", stdout: "pipe", stderr: "pipe" });
	const output = child.stdout.getReader();
	const decoder = new TextDecoder();
	let rest = "";

	/** One reader at a time: what comes in at once may be two lines. */
	let turn: Promise<unknown> = Promise.resolve();

	function read(): Promise<string> {
		const line = turn.then(nextLine);
		turn = line.catch(() => {});
		return line;
	}

	async function nextLine(): Promise<string> {
		for (;;) {
			const end = rest.indexOf("\n");
			if (end >= 0) {
				const line = rest.slice(0, end);
				rest = rest.slice(end + 1);
				return line;
			}
			const { done, value } = await output.read();
			if (done) throw new Error(`Cannot read from ${command[0]}: it ended. ${await child.stderr.text()}`);
			rest += decoder.decode(value, { stream: true });
		}
	}

	async function kill(): Promise<void> {
		child.kill("SIGKILL");
		await child.exited;
	}

	return {
		pid: child.pid,
		write(line) {
			child.stdin.write(`${line}\n`);
			void child.stdin.flush();
		},
		read,
		kill,
		[Symbol.dispose]: () => child.kill("SIGKILL"),
	};
}
