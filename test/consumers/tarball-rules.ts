/** What is wrong with a packed package, by its paths and the text of its manifest, in words. */
export function checkTarball(packed: { name: string; paths: readonly string[]; manifestText: string }): string[] {
  const { name, paths, manifestText } = packed
  const { bin = {} } = JSON.parse(manifestText) as { bin?: Record<string, string> }
  const commands = Object.values(bin).map((path) => path.replace(/^\.\//, ''))
  const lacks = [
    'LICENSE',
    'README.md',
    'CHANGELOG.md',
    'package.json',
    'dist/index.js',
    'dist/index.d.ts',
    'dist/cjs/index.cjs',
    ...commands,
  ].filter((path) => !paths.includes(path))
  const strays = paths.filter(
    (path) =>
      !/^(LICENSE|README\.md|CHANGELOG\.md|package\.json|dist\/(?!cjs\/)[a-z0-9/-]+\.(js|d\.ts)|dist\/cjs\/([a-z0-9/-]+\.(cjs|d\.cts)|LICENSES\.txt)|migrations\/\d{4}-[a-z-]+\.sql)$/.test(
        path,
      ),
  )
  const pairs = paths.filter((path) => path.endsWith('.js') && !paths.includes(path.replace(/\.js$/, '.d.ts')))
  const left = ['dev-source', 'workspace:', 'catalog:', '"file:', '"link:'].filter((word) =>
    manifestText.includes(word),
  )
  return [
    ...lacks.map((path) => `${name} lacks ${path}`),
    ...strays.map((path) => `${name} holds ${path}`),
    ...pairs.map((path) => `${name}: ${path} has no types`),
    ...left.map((word) => `${name}'s manifest says ${word}`),
  ]
}
