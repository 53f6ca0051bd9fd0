import{C as e,b as t,c as n,f as r,o as i,t as a,v as o,y as s}from"./store.js";import{a as c}from"./errors.js";var l=`schema`,u=e(void 0),d=e(0),f=e(``),p=e(0),m=e([]),h=e([]),g=e(``),_=e(``),v=e(void 0),y=()=>f.value!==(u.value?.sdl??``);async function b(){try{let e=await s();u.value=e,g.value=``;let t=(await a(`drafts`)).find(e=>e.id===l);d.value=t?.base??e.version,S(t?.sdl??(e.version===0?`# Types with @collection are stored. Vivarium makes their queries, filters and mutations.

type Artist @collection {
  id: ID!
  name: String! @unique
  albums: [Album!]! @relation(inverse: "artist", onDelete: CASCADE)
}

type Album @collection {
  id: ID!
  title: String! @index
  artist: Artist! @relation(inverse: "albums")
  tracks: [Track!]! @relation(inverse: "album", onDelete: CASCADE)
}

type Track @collection {
  id: ID!
  name: String! @index
  milliseconds: Int! @default(value: 0) @check(expr: { gte: 0 })
  composer: String
  album: Album @relation(inverse: "tracks")
}
`:e.sdl))}catch(e){g.value=c(e)}}async function x(e){if(!u.value||u.value.version===e||_.value)return;let t=!y();try{u.value=await s()}catch{return}t?await O():D()}function S(e){f.value=e,p.value+=1,D()}var C=350,w;function T(e){f.value=e,v.value=void 0,clearTimeout(w),w=setTimeout(()=>{D(),y()?i(`drafts`,{id:l,sdl:e,base:d.value}):n(`drafts`,l)},C)}var E=0;async function D(){E+=1;let e=E;try{let n=f.value.trim()?await t(f.value):{__typename:`SchemaDiff`,changes:[]};if(e!==E)return;g.value=``,h.value=n.__typename===`InvalidSchema`?n.errors:[],m.value=n.__typename===`SchemaDiff`?n.changes:[]}catch(t){e===E&&(g.value=c(t))}}async function O(){await n(`drafts`,l),v.value=void 0,d.value=u.value?.version??0,S(u.value?.sdl||(d.value===0?`# Types with @collection are stored. Vivarium makes their queries, filters and mutations.

type Artist @collection {
  id: ID!
  name: String! @unique
  albums: [Album!]! @relation(inverse: "artist", onDelete: CASCADE)
}

type Album @collection {
  id: ID!
  title: String! @index
  artist: Artist! @relation(inverse: "albums")
  tracks: [Track!]! @relation(inverse: "album", onDelete: CASCADE)
}

type Track @collection {
  id: ID!
  name: String! @index
  milliseconds: Int! @default(value: 0) @check(expr: { gte: 0 })
  composer: String
  album: Album @relation(inverse: "tracks")
}
`:``))}async function k(e){S(e),await i(`drafts`,{id:l,sdl:e,base:d.value})}async function A(e){_.value=e.dryRun?`Trying`:`Applying`,v.value=void 0;try{let t=await o(f.value,{...e,expectedVersion:d.value});return v.value=j(t,e.dryRun),t.__typename===`InvalidSchema`&&(h.value=t.errors),t.__typename!==`AppliedSchema`||e.dryRun?!1:(await n(`drafts`,l),u.value={sdl:f.value,version:t.version},d.value=t.version,m.value=[],await r(),!0)}catch(e){return v.value={good:!1,text:c(e)},!1}finally{_.value=``}}function j(e,t){switch(e.__typename){case`AppliedSchema`:{let n=e.backfilled===`0`?``:` Index entries of ${e.backfilled} documents ${t?`would be`:`were`} written.`;return{good:!0,text:t?`It would be applied.${n}`:`Version ${e.version} is applied.${n}`}}case`InvalidSchema`:return{good:!1,text:`The schema has errors. They are underlined.`};case`RefusedChange`:return{good:!1,text:e.reason};case`VersionMismatch`:return{good:!1,text:`Somebody applied version ${e.found} meanwhile; this was written against version ${e.expected}. Look at what changes now, then apply again.`}}}async function M(){try{u.value=await s(),d.value=u.value.version,await i(`drafts`,{id:l,sdl:f.value,base:d.value}),v.value=void 0,await D()}catch(e){g.value=c(e)}}export{u as applied,A as apply,d as base,_ as busy,m as changes,O as discard,h as faults,x as followApplied,y as isChanged,b as loadSchema,v as outcome,k as propose,M as rebase,f as text,p as textReplaced,g as trouble,T as type};