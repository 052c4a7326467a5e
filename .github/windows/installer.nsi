; Installer for one user, without an administrator: windows_installer.py calls makensis with it.
;
; VERSION, OUT, STAGE and SIZE_KB are defined by the script, which also writes STAGE.nsh: the files
; in an order of its own, since `File /r` takes them as the file system of the builder has them.

Target amd64-unicode
!include LogicLib.nsh
ManifestDPIAware true
SetCompressor zlib
SetDateSave on

!define NAME "mt-gateway"
!define KEY "Software\Microsoft\Windows\CurrentVersion\Uninstall\${NAME}"
!define MENU "$SMPROGRAMS\${NAME}"
!define PROGRAM "$INSTDIR\bin\${NAME}.exe"
; exit code: the gateway runs, and nothing was changed
!define IN_USE 3

Name "${NAME} ${VERSION}"
OutFile "${OUT}"
RequestExecutionLevel user
ShowInstDetails show
ShowUninstDetails show
Page instfiles
UninstPage uninstConfirm
UninstPage instfiles

; Not the user's choice: upgrade and uninstaller remove folders there with all that is in them.
; What the gateway keeps (its home) is $LOCALAPPDATA\mt-gateway, and never touched.
!macro Place
  SetShellVarContext current
  StrCpy $INSTDIR "$LOCALAPPDATA\Programs\${NAME}"
!macroend

; A program that runs cannot be opened for writing. Half of an old version beside half of a new
; one would trade with neither.
!macro RefuseWhileRunning EXE
  ${If} ${FileExists} "${EXE}"
    ClearErrors
    FileOpen $0 "${EXE}" a
    ${If} ${Errors}
      MessageBox MB_OK|MB_ICONSTOP "${NAME} is running. Stop it with 'mt-gateway drain' (a demo or \
console with Ctrl+C in its window), then start this again. Nothing was changed." /SD IDOK
      SetErrorLevel ${IN_USE}
      Quit
    ${EndIf}
    FileClose $0
  ${EndIf}
!macroend

!macro RefuseWhileAnyRuns
  !insertmacro RefuseWhileRunning "$INSTDIR\python\python.exe"
  !insertmacro RefuseWhileRunning "$INSTDIR\python\pythonw.exe"
!macroend

!macro RemoveFiles
  RMDir /r "$INSTDIR\bin"
  RMDir /r "$INSTDIR\site"
  RMDir /r "$INSTDIR\python"
  Delete "$INSTDIR\user_path.py"
  Delete "$INSTDIR\LICENSE.txt"
!macroend

!macro Shortcut LABEL COMMAND
  ; cmd /k: what a command said stays to be read when it has ended
  CreateShortcut "${MENU}\${LABEL}.lnk" "$SYSDIR\cmd.exe" '/k ""${PROGRAM}" ${COMMAND}"' \
    "${PROGRAM}" 0
!macroend

Function .onInit
  !insertmacro Place
  !insertmacro RefuseWhileAnyRuns
FunctionEnd

Section
  !insertmacro RemoveFiles
  !include "${STAGE}.nsh"
  SetOutPath "$INSTDIR"
  WriteUninstaller "$INSTDIR\uninstall.exe"

  nsExec::ExecToLog '"$INSTDIR\python\python.exe" "$INSTDIR\user_path.py" add "$INSTDIR\bin"'
  Pop $0
  ${If} $0 != 0
    DetailPrint "The Path of this user could not be changed: add $INSTDIR\bin to it by hand."
  ${EndIf}

  ; shortcuts start in the folder that is set here
  SetOutPath "$PROFILE"
  CreateDirectory "${MENU}"
  !insertmacro Shortcut "Demo" "demo"
  !insertmacro Shortcut "Console" "console"
  !insertmacro Shortcut "Doctor" "doctor"

  WriteRegStr HKCU "${KEY}" "DisplayName" "${NAME}"
  WriteRegStr HKCU "${KEY}" "DisplayVersion" "${VERSION}"
  WriteRegStr HKCU "${KEY}" "Publisher" "The mt-gateway authors"
  WriteRegStr HKCU "${KEY}" "DisplayIcon" "${PROGRAM}"
  WriteRegStr HKCU "${KEY}" "InstallLocation" "$INSTDIR"
  WriteRegStr HKCU "${KEY}" "UninstallString" '"$INSTDIR\uninstall.exe"'
  WriteRegStr HKCU "${KEY}" "QuietUninstallString" '"$INSTDIR\uninstall.exe" /S'
  WriteRegDWORD HKCU "${KEY}" "EstimatedSize" ${SIZE_KB}
  WriteRegDWORD HKCU "${KEY}" "NoModify" 1
  WriteRegDWORD HKCU "${KEY}" "NoRepair" 1
SectionEnd

Function un.onInit
  !insertmacro Place
  !insertmacro RefuseWhileAnyRuns
FunctionEnd

Section "Uninstall"
  nsExec::ExecToLog '"$INSTDIR\python\python.exe" "$INSTDIR\user_path.py" remove "$INSTDIR\bin"'
  Pop $0
  ${If} $0 != 0
    DetailPrint "The Path of this user could not be changed: take $INSTDIR\bin out by hand."
  ${EndIf}
  SetOutPath "$TEMP"
  Delete "${MENU}\Demo.lnk"
  Delete "${MENU}\Console.lnk"
  Delete "${MENU}\Doctor.lnk"
  RMDir "${MENU}"
  !insertmacro RemoveFiles
  Delete "$INSTDIR\uninstall.exe"
  RMDir "$INSTDIR"
  DeleteRegKey HKCU "${KEY}"
SectionEnd
