// The package as a user gets it: packed by npm, and unpacked into the node_modules of a fresh project.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

export interface Project {
  folder: string
  /** Where the package is installed. */
  installed: string
  tarball: string
  /** Write a file of the project. @returns its path */
  write(name: string, content: string): string
  remove(): void
}

/** A fresh project, outside of this one, in which the packed package is installed. @param links packages that it has besides */
export function projectWithPackage(...links: string[]): Project {
  const folder = mkdtempSync(join(tmpdir(), 'manyhands-'))
  const [{ filename }] = JSON.parse(
    execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      shell: process.platform === 'win32',
    }),
  )
  const tarball = join(folder, filename)
  const installed = join(folder, 'node_modules', 'manyhands')
  mkdirSync(join(folder, 'node_modules'))
  execFileSync('tar', ['-xzf', filename], { cwd: folder })
  renameSync(join(folder, 'package'), installed)
  const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8'))
  for (const name of [...Object.keys(dependencies), ...links])
    symlinkSync(resolve('node_modules', name), join(folder, 'node_modules', name), 'junction')
  const write = (name: string, content: string) => {
    writeFileSync(join(folder, name), content)
    return join(folder, name)
  }
  write('package.json', '{ "type": "module" }')
  return { folder, installed, tarball, write, remove: () => rmSync(folder, { recursive: true }) }
}
