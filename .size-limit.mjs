// What each entry adds to an app, with all that it imports but peers: minified and compressed by brotli. `npm run release:check`.
const external = [
  'express',
  'ioredis',
  'pg',
  'pino',
  'prom-client',
  '@opentelemetry/api',
  '@sentry/node',
  '@modelcontextprotocol/client',
]

const entry = (path, limit) => ({
  name: `@countersign/${path.replace('/dist/', '/').replace(/(\/index)?\.js$/, '')}`,
  path: `packages/${path}`,
  limit,
  modifyEsbuildConfig: (config) => ({ ...config, platform: 'node', format: 'esm', external }),
})

export default [
  entry('core/dist/index.js', '19 kB'),
  entry('audit/dist/index.js', '9 kB'),
  entry('redis/dist/index.js', '10 kB'),
  entry('postgres/dist/index.js', '10 kB'),
  entry('hmac/dist/index.js', '155 kB'),
  entry('oauth-bearer/dist/index.js', '54 kB'),
  entry('mcp-credential/dist/index.js', '158 kB'),
  entry('settings-session/dist/index.js', '195 kB'),
  entry('testing/dist/index.js', '100 kB'),
  entry('cli/dist/index.js', '35 kB'),
]
