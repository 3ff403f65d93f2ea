import type { ReasonEntry } from '@countersign/core/gate-kit'
import { reasons as hmac } from '../../packages/hmac/src/reasons.js'
import { reasons as mcpCredential } from '../../packages/mcp-credential/src/reasons.js'
import { reasons as oauthBearer } from '../../packages/oauth-bearer/src/reasons.js'
import { reasons as settingsSession } from '../../packages/settings-session/src/reasons.js'
import * as texts from './reason-texts.js'

const GATES = [
  ['hmac', 'requireHmac', hmac, texts.hmac],
  ['oauth-bearer', 'requireOAuthBearer', oauthBearer, texts.oauthBearer],
  ['mcp-credential', 'requireMcpCredential', mcpCredential, texts.mcpCredential],
  ['settings-session', 'requireSettingsSession', settingsSession, texts.settingsSession],
] as const

const HEAD = `# Reasons

<!-- Made from the gates' tables by npm run docs:reasons. -->

Why a gate refused a request, as shown in \`reason\` by the audit event and \`NODE_DEBUG=countersign\`. A client learns less: all
unproven requests get the same answer, whatever is wrong.

A refusal is the event \`access.denied\`. If a dependency is unreachable, the answer is 503 with \`Retry-After\`, the
event is \`access.unavailable\`, and its reason names the dependency: nothing was decided about the credential.
`

function describe(name: string, entry: ReasonEntry | undefined, [happened, remedy]: readonly [string, string]): string {
  const {
    status,
    owasp,
    severity = 'warning',
    problem,
    warning,
  } = entry ?? ({ status: 503, owasp: '', severity: 'warning' } as never)
  const gets =
    entry === undefined
      ? '503 with `Retry-After`'
      : [`${status}`, problem?.error && `\`${problem.error}\``, problem?.detail && `"${problem.detail}"`]
          .filter(Boolean)
          .join(', ')
  const event = entry === undefined ? '`access.unavailable`' : `\`access.denied\`, ${severity}, \`${owasp}\``
  const told = warning === undefined ? '' : `\n- *Warning of the process:* [\`${warning.code}\`](${warning.code}.md)`
  return `### ${name}\n\n${happened}\n\n- *The client gets:* ${gets}\n- *Event:* ${event}${told}\n- *What to do:* ${remedy}\n`
}

/** docs/errors/reasons.md, as the code's tables have it. */
export function reasonsPage(): string {
  const parts = GATES.map(([gate, title, table, own]) => {
    const entries = Object.entries(own).map(([reason, text]) =>
      describe(`${gate}: \`${reason}\``, (table as Record<string, ReasonEntry>)[reason], text),
    )
    return `## ${title}\n\n${entries.join('\n')}`
  })
  return `${HEAD}\n${parts.join('\n')}`
}
