const conditions = ['dev-source', 'node', 'module', 'default']

// biome-ignore lint/style/noDefaultExport: Vitest reads its configuration from the default export
export default {
  root: import.meta.dirname,
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: { include: ['contracts.vitest.ts'], reporters: ['json'] },
}
