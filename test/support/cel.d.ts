// The part of the CEL evaluator that tests use; its own types give any.

declare module "@marcbachmann/cel-js" {
	/** Throws for what is no CEL. Variables are the context's fields. */
	export function parse(expression: string): (context: Readonly<Record<string, unknown>>) => unknown;
}
