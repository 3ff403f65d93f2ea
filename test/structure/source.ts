import { parseSync } from '@swc/core'

/** A file of the workspace: its path from the root, with forward slashes, and its text. */
export interface SourceFile {
  readonly path: string
  readonly text: string
}

/** What the checks ask of one file. */
export interface Reading {
  /** Every module that the file names, also by `import()`, `require()`, `import('x').T` and `declare module`. */
  readonly imports: readonly { readonly specifier: string; readonly typeOnly: boolean }[]
  /** How often the type `any` is written. */
  readonly anyCount: number
  /** The literal text of the titles given to `test`, `it` and `describe`, in a table too. */
  readonly titles: readonly string[]
}

interface SyntaxNode {
  readonly type: string
  readonly [key: string]: unknown
}

const isNode = (value: unknown): value is SyntaxNode =>
  typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string'

/** The nodes below a value, itself included, in the order of the text. */
function* nodesIn(value: unknown): Generator<SyntaxNode> {
  if (isNode(value)) yield value
  if (typeof value !== 'object' || value === null) return
  for (const child of Object.values(value)) yield* nodesIn(child)
}

function literalText(value: unknown): string | undefined {
  if (!isNode(value)) return undefined
  if (value.type === 'StringLiteral') return value.value as string
  if (value.type !== 'TemplateLiteral') return undefined
  return (value.quasis as { cooked: string }[]).map((part) => part.cooked).join('…')
}

const firstArgument = (call: SyntaxNode): string | undefined =>
  literalText((call.arguments as { expression: unknown }[])[0]?.expression)

/** The name a call hangs on: `test` for `test(…)`, `test.each(…)(…)` and `test.concurrent.each(…)(…)`. */
function rootName(callee: unknown): string | undefined {
  if (!isNode(callee)) return undefined
  if (callee.type === 'Identifier') return callee.value as string
  if (callee.type === 'MemberExpression') return rootName(callee.object)
  if (callee.type === 'CallExpression') return rootName(callee.callee)
  return undefined
}

/** The texts in the table of `test.each([…])('%s')`: there the row is the title. */
function rowTexts(callee: unknown): string[] {
  if (!isNode(callee) || callee.type !== 'CallExpression') return []
  return [...nodesIn(callee.arguments)].flatMap((node) => literalText(node) ?? [])
}

function importOf(node: SyntaxNode): { specifier: string | undefined; typeOnly: boolean } | undefined {
  switch (node.type) {
    case 'ImportDeclaration':
    case 'ExportNamedDeclaration':
    case 'ExportAllDeclaration':
      return { specifier: literalText(node.source), typeOnly: node.typeOnly === true }
    case 'TsImportType':
      return { specifier: literalText(node.argument), typeOnly: true }
    case 'TsModuleDeclaration':
      return { specifier: literalText(node.id), typeOnly: true }
    case 'TsExternalModuleReference':
      return { specifier: literalText(node.expression), typeOnly: false }
    case 'CallExpression': {
      const isImport = isNode(node.callee) && node.callee.type === 'Import'
      if (!isImport && rootName(node.callee) !== 'require') return undefined
      return { specifier: firstArgument(node), typeOnly: false }
    }
    default:
      return undefined
  }
}

/** Reads a TypeScript or JavaScript file by its syntax tree, so that comments and strings deceive nobody. */
export function readSource(file: SourceFile): Reading {
  const tree = parseSync(file.text, { syntax: 'typescript', target: 'es2022', decorators: true })
  const imports: { specifier: string; typeOnly: boolean }[] = []
  const titles: string[] = []
  let anyCount = 0
  for (const node of nodesIn(tree)) {
    const found = importOf(node)
    if (found?.specifier !== undefined) imports.push({ specifier: found.specifier, typeOnly: found.typeOnly })
    if (node.type === 'TsKeywordType' && node.kind === 'any') anyCount += 1
    if (node.type === 'CallExpression' && /^(test|it|describe)$/.test(rootName(node.callee) ?? '')) {
      const title = firstArgument(node)
      if (title !== undefined) titles.push(title)
      if (/^(%s|\$)/.test(title ?? '')) titles.push(...rowTexts(node.callee))
    }
  }
  return { imports, anyCount, titles }
}
