// Built-ins only: this runs before anything is installed.
import { spawnSync } from 'node:child_process'
import { accessSync, constants, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'

const CHROMIUM_NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']
const CHROMIUM_PLACES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/usr/lib/chromium/chromium',
  '/snap/bin/chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
]

const NGINX_PLACES = ['/usr/sbin/nginx', '/usr/local/sbin/nginx']

/** Where packages put PostgreSQL's programs, with a folder for each version. */
const POSTGRES_PLACES = ['/usr/lib/postgresql', '/usr/libexec/postgresql', '/opt/homebrew/opt', '/usr/local/opt']

/** What each package manager calls the parts, and how it is asked; the first that the machine has is used. */
const managers = [
  {
    name: 'apt-get',
    needsRoot: true,
    commands: (packages) => [
      ['apt-get', 'update', '-qq'],
      ['apt-get', 'install', '-y', '-qq', '--no-install-recommends', ...packages],
    ],
    packages: {
      redis: ['redis-server'],
      chromium: ['chromium'],
      postgres: ['postgresql'],
      nginx: ['nginx-light'],
      prometheus: ['prometheus'],
    },
  },
  {
    name: 'dnf',
    needsRoot: true,
    commands: (packages) => [['dnf', 'install', '-y', ...packages]],
    packages: {
      redis: ['redis'],
      chromium: ['chromium'],
      postgres: ['postgresql-server'],
      nginx: ['nginx'],
      prometheus: ['golang-github-prometheus'],
    },
  },
  {
    name: 'apk',
    needsRoot: true,
    commands: (packages) => [['apk', 'add', '--no-cache', ...packages]],
    packages: {
      redis: ['redis'],
      chromium: ['chromium'],
      postgres: ['postgresql'],
      nginx: ['nginx'],
      prometheus: ['prometheus'],
    },
  },
  {
    name: 'brew',
    needsRoot: false,
    commands: (packages) => [['brew', 'install', ...packages]],
    packages: {
      redis: ['redis'],
      chromium: ['google-chrome'],
      postgres: ['postgresql@17'],
      nginx: ['nginx'],
      prometheus: ['prometheus'],
    },
  },
]

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** The file that a command's name stands for on this PATH. */
function which(name, env = process.env) {
  const places = (env.PATH ?? '').split(delimiter).filter(Boolean)
  return places.map((place) => join(place, name)).find(isExecutable)
}

/** The system's Chromium or Chrome: `CHROMIUM` when it is set, else the PATH and the usual places. */
export function findChromium(env = process.env, places = CHROMIUM_PLACES) {
  if (env.CHROMIUM) return isExecutable(env.CHROMIUM) ? env.CHROMIUM : undefined
  return CHROMIUM_NAMES.map((name) => which(name, env)).find(Boolean) ?? places.find(isExecutable)
}

/** `redis-server`: `REDIS_SERVER` when it is set, else the one on the PATH. */
export function findRedisServer(env = process.env) {
  if (env.REDIS_SERVER) return isExecutable(env.REDIS_SERVER) ? env.REDIS_SERVER : undefined
  return which('redis-server', env)
}

/** `nginx`: `NGINX` when it is set, else the PATH, and where the PATH of a user who is not root has no folder of it. */
export function findNginx(env = process.env, places = NGINX_PLACES) {
  if (env.NGINX) return isExecutable(env.NGINX) ? env.NGINX : undefined
  return which('nginx', env) ?? places.find(isExecutable)
}

/** The folder of `postgres` and `initdb`: `POSTGRES_BIN` when it is set, else the PATH and the usual places, newest first. */
export function findPostgres(env = process.env, places = POSTGRES_PLACES) {
  const isHere = (folder) => isExecutable(join(folder, 'postgres')) && isExecutable(join(folder, 'initdb'))
  if (env.POSTGRES_BIN) return isHere(env.POSTGRES_BIN) ? env.POSTGRES_BIN : undefined
  const onPath = (env.PATH ?? '').split(delimiter).filter(Boolean)
  return [...onPath, ...places.flatMap(versionsBelow)].find(isHere)
}

/** The folder of `prometheus` and `promtool`: `PROMETHEUS_BIN` when it is set, else the PATH. */
export function findPrometheus(env = process.env) {
  const isHere = (folder) => isExecutable(join(folder, 'prometheus')) && isExecutable(join(folder, 'promtool'))
  if (env.PROMETHEUS_BIN) return isHere(env.PROMETHEUS_BIN) ? env.PROMETHEUS_BIN : undefined
  return (env.PATH ?? '').split(delimiter).filter(Boolean).find(isHere)
}

function versionsBelow(place) {
  try {
    const names = readdirSync(place).sort((a, b) => b.localeCompare(a, 'en', { numeric: true }))
    return [place, ...names.map((name) => join(place, name))].map((folder) => join(folder, 'bin'))
  } catch {
    return []
  }
}

/** Which of the parts that the tests run are not here: `redis`, `chromium` and so on. */
export function missingParts(env = process.env) {
  const missing = []
  if (findRedisServer(env) === undefined) missing.push('redis')
  if (findChromium(env) === undefined) missing.push('chromium')
  if (findPostgres(env) === undefined) missing.push('postgres')
  if (findNginx(env) === undefined) missing.push('nginx')
  if (findPrometheus(env) === undefined) missing.push('prometheus')
  return missing
}

/**
 * How to install the missing parts: `commands` that may be run now, or a `message` for the user.
 * `can` tells what the machine allows: `{ has(command), isRoot, hasSudo }`.
 */
export function planInstall(missing, can) {
  const manager = managers.find(({ name }) => can.has(name))
  if (manager === undefined) {
    return { message: `Install ${missing.join(' and ')} so that it is found on the PATH, and run npm test again.` }
  }
  const plain = manager.commands(missing.flatMap((part) => manager.packages[part]))
  if (!manager.needsRoot || can.isRoot) return { commands: plain }
  const withSudo = plain.map((command) => ['sudo', ...command])
  if (can.hasSudo) return { commands: withSudo }
  return { message: `Run this, then npm test again:\n\n  ${withSudo.map((words) => words.join(' ')).join(' && ')}\n` }
}

/** What this process may do to this machine. */
export function abilities(env = process.env) {
  const isRoot = process.getuid?.() === 0
  return {
    has: (command) => which(command, env) !== undefined,
    isRoot,
    hasSudo: !isRoot && which('sudo', env) !== undefined && spawnSync('sudo', ['-n', 'true']).status === 0,
  }
}
