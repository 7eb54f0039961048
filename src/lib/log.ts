// What every room may say: pino's call shape, without pino.

/** Facts as fields, then one sentence without them. */
export type LogLine = (fields: object, message: string) => void;

export interface Log {
	readonly debug: LogLine;
	readonly info: LogLine;
	readonly warn: LogLine;
	readonly error: LogLine;
}
