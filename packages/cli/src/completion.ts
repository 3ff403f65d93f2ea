import type { Command } from 'commander'
import { usageError } from './errors.js'

/** What may follow the words of a command: the names of its commands, or its options. */
interface Choice {
  /** The words so far, without the program: '' or 'hmac' or 'hmac rotate'. */
  readonly path: string
  readonly words: readonly string[]
}

function choicesOf(command: Command, path: readonly string[] = []): Choice[] {
  const words =
    command.commands.length > 0
      ? command.commands.map((child) => child.name())
      : [...command.options.flatMap(({ long }) => (long ? [long] : [])), '--help']
  const below = command.commands.flatMap((child) => choicesOf(child, [...path, child.name()]))
  return [{ path: path.join(' '), words }, ...below]
}

/** The script that tells a shell what may follow. It holds all words, so that completing starts no process. */
export function completionScript(shell: string, program: Command): string {
  const choices = choicesOf(program)
  if (shell === 'bash') return bash(choices)
  // zsh runs the completions of bash.
  if (shell === 'zsh')
    return `autoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n${bash(choices)}`
  if (shell === 'fish') return fish(choices)
  throw usageError('completions exist for bash, zsh and fish')
}

function bash(choices: readonly Choice[]): string {
  const cases = choices.map(({ path, words }) => `    '${path}') words='${words.join(' ')}' ;;`)
  return `_countersign() {
  local path words word
  local current="\${COMP_WORDS[COMP_CWORD]}"
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in
      -*) ;;
      *) case " $path " in
           *' '*' '*' ') ;;
           *) path="\${path:+$path }$word" ;;
         esac ;;
    esac
  done
  case "$path" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _countersign countersign`
}

function fish(choices: readonly Choice[]): string {
  const lines = choices.flatMap(({ path, words }) => {
    const condition = path === '' ? '__fish_use_subcommand' : conditionOf(path, words)
    return words.map((word) =>
      word.startsWith('--')
        ? `complete -c countersign -n '${condition}' -l ${word.slice(2)}`
        : `complete -c countersign -f -n '${condition}' -a ${word}`,
    )
  })
  return lines.join('\n')
}

/** Whether all words of the path were given and, for a group, none of its commands. */
function conditionOf(path: string, words: readonly string[]): string {
  const given = path
    .split(' ')
    .map((word) => `__fish_seen_subcommand_from ${word}`)
    .join('; and ')
  const isGroup = words.every((word) => !word.startsWith('--'))
  return isGroup ? `${given}; and not __fish_seen_subcommand_from ${words.join(' ')}` : given
}
