import type { RequestListener } from 'node:http'

export declare function serve(app: RequestListener): Promise<{ base: string; close(): Promise<void> }>
