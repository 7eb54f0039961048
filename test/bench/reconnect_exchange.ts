// One request over a modelled connection, and its answer as the runtime's fetch would give it.

export interface Exchange {
	readonly signal: AbortSignal;
	/** The answer's head. */
	head(status: number, headers?: Readonly<Record<string, string>>): void;
	send(text: string): void;
	/** The answer is complete. */
	end(): void;
	/** The connection broke. */
	fail(code: string): void;
	/** Nobody ever hears of it again. */
	mute(): void;
	/** As the server sees it. */
	isOpen(): boolean;
	/** Called once when it is over, or mute; with whether the answer was complete. */
	onClose(listener: (complete: boolean) => void): void;
	readonly response: Promise<Response>;
}

const encoder = new TextEncoder();

export function createExchange(signal: AbortSignal): Exchange {
	const { promise, resolve, reject } = Promise.withResolvers<Response>();
	let body: ReadableStreamDefaultController<Uint8Array> | undefined;
	let listeners: ((complete: boolean) => void)[] = [];
	/** As the client sees it. */
	let open = true;
	let muted = false;

	function tell(complete: boolean): void {
		for (const listener of listeners) listener(complete);
		listeners = [];
	}

	function close(complete: boolean): void {
		open = false;
		signal.removeEventListener("abort", abort);
		tell(complete);
	}

	function breakOff(reason: unknown): void {
		if (!open) return;
		close(false);
		if (body === undefined) reject(reason);
		else body.error(reason);
	}

	function abort(): void {
		breakOff(signal.reason);
	}

	signal.addEventListener("abort", abort);
	if (signal.aborted) abort();
	return {
		signal,
		head(status, headers = {}) {
			if (!open || muted) return;
			const stream = new ReadableStream<Uint8Array>({
				start(controller) {
					body = controller;
				},
			});
			resolve(new Response(stream, { status, headers }));
		},
		send(text) {
			if (open && !muted && text !== "") body?.enqueue(encoder.encode(text));
		},
		end() {
			if (!open || muted) return;
			close(true);
			body?.close();
		},
		fail: (code) => breakOff(Object.assign(new Error(`Cannot go on: ${code}`), { code })),
		mute() {
			muted = true;
			tell(false);
		},
		isOpen: () => open && !muted,
		onClose: (listener) => void listeners.push(listener),
		response: promise,
	};
}
