# bash parts words at a colon; here one stands within a word (stdout:jsonl, mic:NAME).
_digitd() {
  local -a words=()
  local rest=$COMP_LINE word before current=0 left= index
  for index in "${!COMP_WORDS[@]}"; do
    word=${COMP_WORDS[index]}
    before=${rest%%"$word"*} rest=${rest#*"$word"}
    if [[ -z $before && ( $word == :* || ( ${words[*]: -1} == *: && $COMP_LINE != *[[:space:]]"$word$rest" ) ) ]]; then
      words[${#words[@]} - 1]+=$word
    else
      words+=("$word")
    fi
    [[ $index -eq $COMP_CWORD ]] && current=$((${#words[@]} - 1))
  done
  local COMP_WORDS=("${words[@]}") COMP_CWORD=$current
  _shtab_digitd
  [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *: ]] && compopt -o nospace 2>/dev/null
  [[ ${words[current]} == *:* && $COMP_WORDBREAKS == *:* ]] && left=${words[current]%:*}:
  COMPREPLY=("${COMPREPLY[@]#"$left"}")
}

complete -o bashdefault -F _digitd digitd
