export function withNode<T>(version: string, use: (node: string, env: NodeJS.ProcessEnv) => T): T
